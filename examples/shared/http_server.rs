//! A server that keeps objects in memory and knows just as much of HTTP as the example of a store needs.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use backup_core::{Clock, Error, ErrorKind, Result, SystemClock};
use chrono::{DateTime, Utc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// The largest chunk of a body, in bytes.
const MAX_CHUNK: usize = 64 * 1024 * 1024;

type Objects = Arc<Mutex<BTreeMap<String, (Vec<u8>, DateTime<Utc>)>>>;

/// Serves on a free port of this host for as long as the runtime lives, and gives its address.
///
/// # Errors
///
/// Where no port can be had.
///
/// # Cancel safety
///
/// Cancel-safe.
pub async fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let objects = Objects::default();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let objects = Arc::clone(&objects);
            // What a client that went away asked for, it need not get.
            tokio::spawn(async move { drop(serve(connection, &objects).await) });
        }
    });
    Ok(address)
}

/// One request, and its answer.
async fn serve(connection: TcpStream, objects: &Objects) -> Result<()> {
    let mut connection = BufReader::new(connection);
    let first = line(&mut connection).await?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let key = path.trim_start_matches('/').replace("%25", "%");
    let mut headers = BTreeMap::new();
    loop {
        let header = line(&mut connection).await?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let answer = match method {
        "PUT" => {
            let body = body(&mut connection, &headers).await?;
            put(objects, key, body, headers.contains_key("if-none-match"))
        }
        "GET" if key == "?list" => Answer::new("200 OK", list(objects).into_bytes()),
        "GET" | "HEAD" => get(objects, &key, headers.get("range")),
        "DELETE" => {
            locked(objects, |objects| objects.remove(&key));
            Answer::new("204 No Content", Vec::new())
        }
        _ => Answer::new("405 Method Not Allowed", Vec::new()),
    };
    let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", answer.status);
    // An answer without content has no length either.
    if !answer.status.starts_with("204") {
        head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    }
    if let Some(time) = answer.stored_at {
        head.push_str(&format!("Last-Modified: {}\r\n", time.format("%a, %d %b %Y %H:%M:%S GMT")));
    }
    head.push_str("\r\n");
    connection.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        connection.write_all(&answer.body).await?;
    }
    connection.shutdown().await?;
    Ok(())
}

struct Answer {
    status: &'static str,
    stored_at: Option<DateTime<Utc>>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: &'static str, body: Vec<u8>) -> Self {
        Self { status, stored_at: None, body }
    }
}

fn locked<T>(
    objects: &Objects,
    work: impl FnOnce(&mut BTreeMap<String, (Vec<u8>, DateTime<Utc>)>) -> T,
) -> T {
    work(&mut objects.lock().unwrap_or_else(PoisonError::into_inner))
}

fn put(objects: &Objects, key: String, body: Vec<u8>, only_new: bool) -> Answer {
    locked(objects, |objects| {
        if only_new && objects.contains_key(&key) {
            return Answer::new("412 Precondition Failed", Vec::new());
        }
        let stored_at = SystemClock.now();
        objects.insert(key, (body, stored_at));
        Answer { stored_at: Some(stored_at), ..Answer::new("201 Created", Vec::new()) }
    })
}

fn get(objects: &Objects, key: &str, range: Option<&String>) -> Answer {
    let Some((bytes, stored_at)) = locked(objects, |objects| objects.get(key).cloned()) else {
        return Answer::new("404 Not Found", Vec::new());
    };
    let Some(range) = range else {
        return Answer { stored_at: Some(stored_at), ..Answer::new("200 OK", bytes) };
    };
    let ends = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let part = ends.and_then(|(start, last)| {
        let (start, last) = (start.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        bytes.get(start..=last)
    });
    match part {
        Some(part) => {
            Answer { stored_at: Some(stored_at), ..Answer::new("206 Partial Content", part.to_vec()) }
        }
        None => Answer::new("416 Range Not Satisfiable", Vec::new()),
    }
}

fn list(objects: &Objects) -> String {
    locked(objects, |objects| {
        let mut text = String::new();
        for (key, (bytes, stored_at)) in objects.iter() {
            let _never_fails = writeln!(text, "{} {} {key}", bytes.len(), stored_at.timestamp());
        }
        text
    })
}

/// A body, whole; one that was cut off is an error, and nothing of it is kept.
async fn body(connection: &mut BufReader<TcpStream>, headers: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(number(length, 10)?, 0);
        connection.read_exact(&mut body).await?;
        return Ok(body);
    }
    loop {
        let size = number(&line(connection).await?, 16)?;
        let start = body.len();
        body.resize(start + size, 0);
        connection.read_exact(body.get_mut(start..).unwrap_or_default()).await?;
        line(connection).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn number(text: &str, radix: u32) -> Result<usize> {
    let number = usize::from_str_radix(text.trim(), radix).ok().filter(|number| *number <= MAX_CHUNK);
    number.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "no size of a body"))
}

/// A line without its end; the end of the connection is an error.
async fn line(connection: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line).await? == 0 {
        return Err(Error::new(ErrorKind::Incomplete, "the connection ended"));
    }
    Ok(line.trim_end().to_owned())
}
