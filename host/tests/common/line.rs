//! A line between a store and its server, which a test can cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A line to a server that can be cut when the server has answered and the answer has not passed.
pub struct Line {
    pub port: u16,
    pub cut_next_answer: Arc<AtomicBool>,
    pub cuts: Arc<AtomicUsize>,
}

impl Line {
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut_next_answer, cuts) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let line = Self { port, cut_next_answer: Arc::clone(&cut_next_answer), cuts: Arc::clone(&cuts) };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (cut_next_answer, cuts) = (Arc::clone(&cut_next_answer), Arc::clone(&cuts));
                tokio::spawn(async move {
                    let (mut near_in, mut near_out) = near.into_split();
                    let (mut far_in, mut far_out) =
                        TcpStream::connect(("127.0.0.1", server)).await.unwrap().into_split();
                    let questions = tokio::io::copy(&mut near_in, &mut far_out);
                    let answers = async {
                        let mut bytes = [0; 4096];
                        while let Ok(length @ 1..) = far_in.read(&mut bytes).await {
                            if cut_next_answer.swap(false, Ordering::SeqCst) {
                                cuts.fetch_add(1, Ordering::SeqCst);
                                return;
                            }
                            near_out.write_all(&bytes[..length]).await.unwrap();
                        }
                    };
                    // With either gone, both connections are dropped.
                    tokio::select! { _ = questions => {}, () = answers => {} }
                });
            }
        });
        line
    }
}
