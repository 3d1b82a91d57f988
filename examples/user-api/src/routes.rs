use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::database::Database;
use crate::fields::Fields;
use crate::outbox::Position;
use crate::relay::Relay;
use crate::reply::{Refusal, json_response};
use crate::{posts, users};

/// No request of this API needs more.
const MAX_BODY: usize = 64 << 10;
/// How long a caller may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ID: usize = 64;
const MAX_NAME: usize = 200;
const MAX_DEVICE_TOKEN: usize = 4096;

/// Answers requests.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) database: Database,
    pub(crate) relay: Relay,
}

impl Api {
    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.route(request).await.unwrap_or_else(Refusal::into_response)
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Refusal> {
        let (head, body) = request.into_parts();
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        let known = matches!(path.as_slice(), ["register"] | ["change-name"] | ["posts"] | ["posts", _, "like"]);
        if known && head.method != Method::POST {
            return Err(Refusal::Method);
        }
        match path.as_slice() {
            ["register"] => self.register(read(body).await?).await,
            ["change-name"] => self.change_name(read(body).await?).await,
            ["posts"] => self.add_post(read(body).await?).await,
            ["posts", id, "like"] => self.like((*id).to_owned(), read(body).await?).await,
            _ => Err(Refusal::NoPath),
        }
    }

    async fn register(&self, mut fields: Fields) -> Result<Response<Full<Bytes>>, Refusal> {
        let user = users::NewUser {
            email: fields.email("email")?,
            name: fields.text("name", MAX_NAME)?,
            device_token: fields.optional_text("device_token", MAX_DEVICE_TOKEN)?,
        };
        let (id, event) = self.database.transaction(move |tx| users::register(tx, &user)).await?;
        self.publish(Some(event)).await;
        Ok(json_response(StatusCode::CREATED, &json!({ "id": id })))
    }

    async fn change_name(&self, mut fields: Fields) -> Result<Response<Full<Bytes>>, Refusal> {
        let id = fields.text("id", MAX_ID)?;
        let name = fields.text("name", MAX_NAME)?;
        let answer = json!({ "id": id, "name": name });
        let event = self.database.transaction(move |tx| users::change_name(tx, &id, &name)).await?;
        self.publish(event).await;
        Ok(json_response(StatusCode::OK, &answer))
    }

    async fn add_post(&self, mut fields: Fields) -> Result<Response<Full<Bytes>>, Refusal> {
        let author_id = fields.text("author_id", MAX_ID)?;
        let title = fields.text("title", MAX_NAME)?;
        let id = self.database.transaction(move |tx| posts::add(tx, &author_id, &title)).await?;
        Ok(json_response(StatusCode::CREATED, &json!({ "id": id })))
    }

    async fn like(&self, post_id: String, mut fields: Fields) -> Result<Response<Full<Bytes>>, Refusal> {
        let user_id = fields.text("user_id", MAX_ID)?;
        let answer = json!({ "post_id": post_id, "user_id": user_id });
        let event = self.database.transaction(move |tx| posts::like(tx, &post_id, &user_id)).await?;
        self.publish(event).await;
        Ok(json_response(StatusCode::OK, &answer))
    }

    async fn publish(&self, event: Option<Position>) {
        if let Some(position) = event {
            self.relay.publish(position).await;
        }
    }
}

async fn read(body: Incoming) -> Result<Fields, Refusal> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    match body.map_err(|_| Refusal::TooSlow)? {
        Ok(body) => Ok(Fields::parse(&body.to_bytes())?),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLong(MAX_BODY)),
        Err(_) => Err(Refusal::Unreadable),
    }
}
