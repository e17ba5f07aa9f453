use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures::FutureExt;
use tokio::sync::oneshot;

use super::*;
use crate::digest::{ByteCount, DigestTap};

/// Writes `<` before and `>` behind what passes, and each byte twice.
struct Twice(bool);

impl Transform for Twice {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        if !std::mem::replace(&mut self.0, true) {
            output.put(Bytes::from_static(b"<"))?;
        }
        output.put(input.iter().flat_map(|byte| [*byte; 2]).collect())
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        output.boundary()
    }

    fn finish(self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        output.put(Bytes::from_static(b">"))
    }
}

fn twice() -> Box<dyn Transform> {
    Box::new(Twice(false))
}

/// Does what the closure says with each chunk, and at the end with an empty one.
struct Custom<F>(F);

impl<F: FnMut(Bytes, &mut dyn Output) -> Result<()> + Send> Transform for Custom<F> {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        self.0(input, output)
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        output.boundary()
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        self.0(Bytes::new(), output)
    }
}

fn custom(act: impl FnMut(Bytes, &mut dyn Output) -> Result<()> + Send + 'static) -> Box<dyn Transform> {
    Box::new(Custom(act))
}

fn failure() -> Error {
    Error::new(ErrorKind::ToolFailed, "exit 1")
}

fn body(items: Vec<Result<&'static str>>) -> ByteStream {
    ByteStream::new(futures::stream::iter(items).map(|item| item.map(Bytes::from)))
}

/// All bytes, and the error if the stream ended in one.
async fn read(mut stream: ByteStream) -> (String, Option<Error>) {
    let mut text = String::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(chunk) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            Err(err) => return (text, Some(err)),
        }
    }
    (text, None)
}

/// A body that yields `first`, then nothing for ever, and says when it is dropped.
fn pending_body(first: &'static str) -> (ByteStream, oneshot::Receiver<()>) {
    let (held, dropped) = oneshot::channel::<()>();
    let rest = futures::stream::poll_fn(move |_| {
        let _held = &held;
        std::task::Poll::Pending
    });
    (ByteStream::new(futures::stream::iter([Ok(Bytes::from(first))]).chain(rest)), dropped)
}

#[tokio::test]
async fn stages_follow_each_other_and_end_in_order() {
    let count = ByteCount::default();
    let stages = Stages::new().transform(twice()).tap(count.clone()).transform(twice());
    let (text, err) = read(stages.run(body(vec![Ok("a"), Ok(""), Ok("b")]))).await;
    assert!(err.is_none());
    assert_eq!(text, "<<<aaaabbbb>>>");
    assert_eq!(count.get(), 6);
}

#[tokio::test]
async fn no_stages_pass_everything_on() {
    let (text, err) = read(Stages::new().run(body(vec![Ok("a"), Ok("b")]))).await;
    assert!(err.is_none());
    assert_eq!(text, "ab");
}

#[tokio::test]
async fn an_error_of_the_body_gets_no_trailer_and_no_outcome() {
    let (tap, outcome) = DigestTap::new(crate::digest::Algorithm::Sha256).unwrap();
    let stages = Stages::new().transform(twice()).tap(tap);
    let (text, err) = read(stages.run(body(vec![Ok("a"), Err(failure())]))).await;
    assert_eq!(err.unwrap().kind(), ErrorKind::ToolFailed);
    assert_eq!(text, "<aa");
    assert!(outcome.take().is_none());
}

#[tokio::test]
async fn an_error_of_a_stage_gets_no_trailer_and_drops_the_body() {
    let (body, dropped) = pending_body("a");
    let stages = Stages::new().transform(twice()).transform(custom(|_, _| Err(failure())));
    let (text, err) = read(stages.run(body)).await;
    assert_eq!(err.unwrap().kind(), ErrorKind::ToolFailed);
    assert_eq!(text, "");
    assert!(dropped.await.is_err());
}

#[tokio::test]
async fn an_error_at_the_end_of_a_stage_is_not_a_clean_end() {
    let fail_at_end =
        custom(|input, output| if input.is_empty() { Err(failure()) } else { output.put(input) });
    let stages = Stages::new().transform(fail_at_end).transform(twice());
    let (text, err) = read(stages.run(body(vec![Ok("a")]))).await;
    assert_eq!(err.unwrap().kind(), ErrorKind::ToolFailed);
    assert_eq!(text, "<aa");
}

#[tokio::test]
async fn a_stage_that_swallows_an_error_cannot_end_the_stream_cleanly() {
    let swallow = custom(|_, output| {
        let _swallowed = output.put(Bytes::from_static(b"x"));
        Ok(())
    });
    let mut calls = 0;
    let fail_once = custom(move |input, output| {
        calls += 1;
        if calls == 1 { Err(failure()) } else { output.put(input) }
    });
    let stages = Stages::new().transform(swallow).transform(fail_once).transform(twice());
    let (text, err) = read(stages.run(body(vec![Ok("a"), Ok("b")]))).await;
    assert!(err.is_some());
    assert_eq!(text, "");
}

#[tokio::test]
async fn a_panic_of_a_stage_is_an_error_of_the_output_and_drops_the_body() {
    let (body, dropped) = pending_body("a");
    let stages = Stages::new().transform(custom(|_, _| panic!("this panic belongs to the test")));
    let (_, err) = read(stages.run(body)).await;
    assert!(err.is_some());
    assert!(dropped.await.is_err());
}

#[tokio::test]
async fn a_panic_at_the_end_of_a_tap_is_an_error_of_the_output() {
    struct Panics;
    impl Tap for Panics {
        fn update(&mut self, _: &[u8]) -> Result<()> {
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<()> {
            panic!("this panic belongs to the test")
        }
    }
    let (text, err) = read(Stages::new().tap(Panics).run(body(vec![Ok("a")]))).await;
    assert_eq!(text, "a");
    assert!(err.is_some());
}

#[tokio::test]
async fn a_panic_of_the_body_is_an_error_of_the_output() {
    let body = ByteStream::new(futures::stream::poll_fn(|_| panic!("this panic belongs to the test")));
    let (text, err) = read(Stages::new().transform(twice()).run(body)).await;
    assert_eq!(text, "");
    assert!(err.is_some());
}

#[tokio::test]
async fn dropping_the_output_drops_a_pending_body() {
    let (body, dropped) = pending_body("a");
    let mut stream = Stages::new().transform(twice()).run(body);
    assert_eq!(stream.next().await.unwrap().unwrap(), "<");
    drop(stream);
    assert!(dropped.await.is_err());
}

#[tokio::test]
async fn dropping_the_output_unread_drops_the_body_and_the_stages() {
    let (body, dropped) = pending_body("a");
    let (held, stages_dropped) = oneshot::channel::<()>();
    let stage = custom(move |input, output| {
        let _held = &held;
        output.put(input)
    });
    drop(Stages::new().transform(stage).run(body));
    assert!(dropped.await.is_err());
    assert!(stages_dropped.await.is_err());
}

#[tokio::test]
async fn dropping_the_output_ends_a_stage_that_makes_without_end() {
    let (held, dropped) = oneshot::channel::<()>();
    let endless = custom(move |_, output| {
        let _held = &held;
        loop {
            output.put(Bytes::from_static(b"bomb"))?;
        }
    });
    let mut stream = Stages::new().transform(endless).run(body(vec![Ok("a")]));
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    assert!(dropped.await.is_err());
}

#[tokio::test]
async fn what_one_chunk_becomes_waits_for_the_reader() {
    let made = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let bomb = {
        let (made, done) = (Arc::clone(&made), Arc::clone(&done));
        custom(move |input, output| {
            if !input.is_empty() {
                for _ in 0..100 {
                    output.put(Bytes::from_static(b"x"))?;
                    made.fetch_add(1, Ordering::SeqCst);
                }
                done.store(true, Ordering::SeqCst);
            }
            Ok(())
        })
    };
    let mut stream = Stages::new().transform(bomb).run(body(vec![Ok("a")]));
    for read in 1..=100 {
        assert_eq!(stream.next().await.unwrap().unwrap(), "x");
        // One more than fit may be counted: it may already be on its way.
        assert!(made.load(Ordering::SeqCst) <= read + WAITING_PIECES + 1);
    }
    assert!(stream.next().await.is_none());
    assert!(done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_waits_for_the_stages_is_bounded_in_bytes() {
    // Pieces of the body that were asked for, of 1 MiB each, while the stages cannot go on.
    let asked = Arc::new(AtomicUsize::new(0));
    let body = {
        let asked = Arc::clone(&asked);
        let chunk = Bytes::from(vec![0; 1 << 20]);
        ByteStream::new(futures::stream::repeat_with(move || {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(chunk.clone())
        }))
    };
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let stuck = custom(move |_, _| wait.recv().map_err(|_| failure()));
    let mut stream = Stages::new().transform(stuck).run(body);
    // The feeder runs until it waits: 4 MiB in the channel, one in the stage, one in its hand.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(asked.load(Ordering::SeqCst) <= 6, "{}", asked.load(Ordering::SeqCst));
    drop(go);
    assert!(stream.next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_chunk_larger_than_all_room_passes() {
    let large = Bytes::from(vec![7; 9 << 20]);
    let body = ByteStream::new(futures::stream::iter([Ok(large.clone()), Ok(large.clone())]));
    let passed = Stages::new().tap(ByteCount::default()).run(body).collect_bytes(usize::MAX).await.unwrap();
    assert_eq!(passed.len(), 2 * large.len());
}

#[test]
fn a_runtime_that_ends_leaves_an_error_not_a_clean_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (body, _dropped) = pending_body("a");
    let stream = runtime.block_on(async { Stages::new().transform(twice()).run(body) });
    drop(runtime);
    let items: Vec<_> = stream.collect::<Vec<_>>().now_or_never().expect("the stream hangs");
    assert!(items.last().unwrap().is_err());
}
