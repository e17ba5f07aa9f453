use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use ::age::stream::StreamWriter;
use bytes::Bytes;

use super::recipient::Recipient;
use crate::{
    Result,
    transform::{Output, Transform},
};

/// How many bytes are sealed before they are put.
const PIECE_BYTES: usize = 256 * 1024;

/// Seals.
pub(super) struct Seal {
    recipients: Arc<[Recipient]>,
    /// Begun with the first bytes, as a passphrase takes a second of a thread that may be blocked.
    writer: Option<StreamWriter<Sealed>>,
    sealed: Sealed,
}

impl Seal {
    pub(super) fn new(recipients: Arc<[Recipient]>) -> Self {
        Self { recipients, writer: None, sealed: Sealed::default() }
    }

    fn writer(&mut self) -> Result<&mut StreamWriter<Sealed>> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => Recipient::encryptor(&self.recipients)?.wrap_output(self.sealed.clone())?,
        };
        Ok(self.writer.insert(writer))
    }
}

impl Transform for Seal {
    fn update(&mut self, mut input: Bytes, output: &mut dyn Output) -> Result<()> {
        while !input.is_empty() {
            let piece = input.split_to(input.len().min(PIECE_BYTES));
            self.writer()?.write_all(&piece)?;
            if self.sealed.len() >= PIECE_BYTES {
                output.put(self.sealed.take())?;
            }
        }
        Ok(())
    }

    fn boundary(&mut self, _: &mut dyn Output) -> Result<()> {
        Err(super::chunks::no_boundaries())
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        self.writer()?;
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        output.put(self.sealed.take())
    }
}

/// What the writer wrote, until it is put.
#[derive(Clone, Default)]
struct Sealed(Arc<Mutex<Vec<u8>>>);

impl Sealed {
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&self) -> Bytes {
        let mut sealed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Vec::with_capacity(sealed.capacity());
        std::mem::replace(&mut *sealed, room).into()
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
