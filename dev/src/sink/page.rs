//! The page that shows what was sent. Everything on it that came from outside is escaped.

use std::fmt::{self, Display};

use tidemill_events::format_rfc3339;

use super::Sent;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>Mail and push</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; }
ul { list-style: none; padding: 0; }
li { border: 1px solid #8885; border-radius: .5rem; padding: .8rem 1rem; margin: .8rem 0; }
.kind { font-size: .75rem; font-weight: 600; text-transform: uppercase; letter-spacing: .06em; color: #fff;
  background: #2563eb; border-radius: 1rem; padding: .1rem .6rem; }
.push { background: #0f766e; }
.title { font-weight: 600; margin: .4rem 0 0; overflow-wrap: anywhere; }
.text { margin: .2rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.about { color: #888; font-size: .85rem; margin: .4rem 0 0; overflow-wrap: anywhere; }
</style>
</head>
<body>
"#;

/// The page, for messages that come newest first.
pub(super) fn render<'a>(messages: impl Iterator<Item = &'a Sent>) -> String {
    let items: Vec<String> = messages.map(item).collect();
    let list = match items.len() {
        0 => "<p>Nothing was sent yet. What handlers send shows up here by itself.</p>\n".to_owned(),
        _ => format!("<ul>\n{}</ul>\n", items.concat()),
    };
    format!("{HEAD}<h1>Mail and push: {} sent</h1>\n{list}</body>\n</html>\n", items.len())
}

fn item(sent: &Sent) -> String {
    let kind = sent.kind.name();
    let key = sent.idempotency_key.as_deref().map(|key| format!(" · {}", Escaped(key))).unwrap_or_default();
    let repeats = match sent.repeats {
        0 => String::new(),
        n => format!(" · sent again {n}×, counted once"),
    };
    format!(
        "<li><span class=\"kind {kind}\">{kind}</span> to <strong>{to}</strong>\n\
         <p class=\"title\">{title}</p>\n<p class=\"text\">{text}</p>\n\
         <p class=\"about\">{time}{key}{repeats}</p></li>\n",
        to = Escaped(sent.to()),
        title = Escaped(sent.title()),
        text = Escaped(sent.text_body()),
        time = format_rfc3339(sent.received_at),
    )
}

/// A text in which nothing is markup, neither between tags nor within quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            _ => write!(f, "{c}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::super::Kind;
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "</p><script>alert('x')</script>\" onload=\"";
        let body = json!({ "to": hostile, "subject": hostile, "text": hostile });
        let sent = Sent {
            id: 1,
            kind: Kind::Mail,
            received_at: SystemTime::UNIX_EPOCH,
            idempotency_key: Some(hostile.into()),
            repeats: 1,
            body: body.as_object().unwrap().clone(),
        };
        let page = render([&sent].into_iter());
        let escaped = "&lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;";
        assert!(!page.contains("<script"));
        assert_eq!(page.matches(escaped).count(), 4);
    }
}
