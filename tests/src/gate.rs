//! A service that answers nobody until it is opened: what an Action waits for.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub struct Gate {
    pub url: String,
    arrived: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
}

impl Gate {
    pub async fn closed() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (open, is_open) = watch::channel(false);
        let arrived = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&arrived);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let (count, mut is_open) = (Arc::clone(&count), is_open.clone());
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while connection.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                        count.fetch_add(1, Ordering::SeqCst);
                        if is_open.wait_for(|open| *open).await.is_err() {
                            return;
                        }
                        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                    }
                });
            }
        });
        Self { url, arrived, open }
    }

    pub fn open(&self) {
        let _ = self.open.send(true);
    }

    /// How many requests came.
    pub fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }

    /// Returns when so many have come.
    pub async fn wait_for(&self, count: usize) {
        let came = async {
            while self.arrived() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(30), came).await;
        assert!(came.is_ok(), "{} of {count} came", self.arrived());
    }
}
