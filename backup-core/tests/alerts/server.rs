//! A server on this host for one test: each connection is handed to the script.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub(crate) type Wire = BufReader<TcpStream>;

/// Ends with the test that holds it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Runs `script` on each connection, one after the other, with the connection's number.
    pub(crate) async fn start<W>(mut script: impl FnMut(usize, Wire) -> W + Send + 'static) -> Self
    where
        W: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            for number in 0..100 {
                let (wire, _) = listener.accept().await.unwrap();
                let served = script(number, BufReader::new(wire));
                let _ = tokio::time::timeout(Duration::from_secs(60), served).await;
            }
        });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A line without its end; empty at the end of the connection.
pub(crate) async fn line(wire: &mut Wire) -> String {
    let mut line = String::new();
    wire.read_line(&mut line).await.unwrap_or_default();
    line.trim_end_matches(['\r', '\n']).to_owned()
}

/// Everything that an error says, down to its last cause.
pub(crate) fn everything(err: &backup_core::Error) -> String {
    let mut text = format!("{err} {err:?} {:?}", err.suggestions());
    let mut source = std::error::Error::source(err);
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}
