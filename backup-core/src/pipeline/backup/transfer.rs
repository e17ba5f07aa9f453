//! From the dumper into the store.

use std::sync::Arc;

use super::{
    super::{
        Pipeline,
        claim::Claim,
        meter::Meter,
        verify::{DIFFERENCES, listed},
    },
    SpaceCheck,
    beside::Beside,
};
use crate::{
    ByteStream, Companion, Dump, Dumper, DumperInfo, Encoding, Error, ErrorKind, Inventory, Key, Manifest,
    Operation, PutOptions, Result, SourceInfo, Stages,
    compress::framed::{Framed, Limits},
    digest::{Algorithm, ByteCount, DigestTap, Tap},
    inventory::Inspector,
    manifest::{Artifact, CompanionObject, CopyRecord, Encryption, FrameIndex, Layout, Plain},
    store::StoredCopy,
};

impl Pipeline {
    /// The estimated stored bytes, checked against the store's free space.
    pub(in crate::pipeline) async fn check_space(
        &self,
        source: &SourceInfo,
        check: SpaceCheck,
        warnings: &mut Vec<String>,
    ) -> Result<Option<u64>> {
        let Some(size) = source.size_bytes else { return Ok(None) };
        let plain = size.saturating_add(size / 5);
        let needed = if self.compressor.extension().is_empty() { plain } else { plain / 10 * 3 };
        let Some(space) = self.within("space", self.store.space()).await? else { return Ok(Some(needed)) };
        if space.free_bytes >= needed {
            return Ok(Some(needed));
        }
        let err = Error::new(
            ErrorKind::StorageFull,
            "the store has less free space than the backup is estimated to take",
        )
        .with_context("store", self.store.location())
        .with_context("free_bytes", space.free_bytes)
        .with_context("estimated_bytes", needed)
        .with_suggestion(
            "free space on the store, or let the check only warn where the estimate is too high",
        );
        match check {
            SpaceCheck::Refuse => Err(err),
            SpaceCheck::Warn => {
                self.warn(Operation::Backup, warnings, err.to_string());
                Ok(Some(needed))
            }
        }
    }

    pub(super) fn extensions<'a>(&'a self, format: &'a str) -> [&'a str; 3] {
        [
            format,
            self.compressor.extension(),
            self.encryptor.as_ref().map_or("", |encryptor| encryptor.extension()),
        ]
    }

    /// Streams dump and companions into the store; the warnings are those to keep.
    pub(super) async fn store_dump(
        &self,
        dumper: &Arc<dyn Dumper>,
        info: &DumperInfo,
        claim: &mut Claim,
        meter: &Meter,
        options: PutOptions,
    ) -> Result<(Manifest, Vec<String>)> {
        let Dump { source, body, encoding, inventory, counted, migrations, companions, warnings: noticed } =
            dumper.dump().await?;
        let backup = claim.backup().clone();
        if source.database != backup.database {
            return Err(Error::new(ErrorKind::Unexpected, "the dump is of another database than the probe")
                .with_context("probed", &backup.database)
                .with_context("dumped", &source.database));
        }
        let inspector = Inspector::with_checksums(&info.engine, &info.format);
        let (seen, position, remarks) =
            (inspector.inventory.clone(), inspector.position.clone(), inspector.warnings.clone());
        let key = Layout::of(&backup).artifact(&self.extensions(&info.extension))?;
        claim.will_put(key.clone());
        let Stored { artifact, plain, frames, copies: stored } =
            self.store_one(key, Source { body, encoding, inspector }, meter, options.clone()).await?;
        let (mut warnings, mut copies) = (Vec::new(), Vec::new());
        for warning in CopyRecord::add(&mut copies, "dump", &stored) {
            self.warn(Operation::Backup, &mut warnings, warning);
        }
        for warning in noticed.into_iter().chain(remarks.take().unwrap_or_default()) {
            self.warn(Operation::Backup, &mut warnings, warning);
        }
        let said = match counted {
            Some(counted) => Some(counted.take().ok_or_else(not_counted)?),
            None => inventory,
        };
        let inventory = self.agreed(said, seen.take().flatten(), &mut warnings)?;

        let mut manifest = Manifest::new(backup, self.clock.now(), source, artifact, plain);
        manifest.engine.clone_from(&info.engine);
        manifest.format.clone_from(&info.format);
        self.compressor.name().clone_into(&mut manifest.compression);
        manifest.encryption = self
            .encryptor
            .as_ref()
            .map(|encryptor| Encryption::new(encryptor.name(), encryptor.recipients()));
        // Without the inventory nobody could tell whether what an index leads to is what was meant.
        manifest.frames = frames.filter(|_| inventory.is_some());
        manifest.inventory = inventory;
        manifest.position = position.take().flatten();
        manifest.migrations = migrations;
        // The size that is known is that of the dump.
        let options = PutOptions { size_hint: None, ..options };
        for companion in companions {
            // A copy that lacks one object of the backup needs no others.
            let incomplete = copies.iter().filter(|copy: &&CopyRecord| copy.error.is_some());
            let options =
                options.clone().with_excluded(incomplete.map(|copy| copy.location.clone()).collect());
            let (name, object, stored) = self.store_companion(companion, claim, meter, options).await?;
            for warning in CopyRecord::add(&mut copies, &name, &stored) {
                self.warn(Operation::Backup, &mut warnings, warning);
            }
            manifest.companions.insert(name, object);
        }
        manifest.copies = copies;
        if let Some(encryptor) = &self.encryptor {
            manifest.seal(&**encryptor).await?;
        }
        Ok((manifest, warnings))
    }

    /// One inventory out of what the tool said and what was seen in the stream.
    fn agreed(
        &self,
        said: Option<Inventory>,
        seen: Option<Inventory>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Inventory>> {
        if let (Some(said), Some(seen)) = (&said, &seen) {
            let differences = said.differences(seen);
            if !differences.is_empty() {
                return Err(Error::new(
                    ErrorKind::Incomplete,
                    "the dump does not hold the rows that the tool counted",
                )
                .with_context(DIFFERENCES, listed(&differences)));
            }
        }
        let inventory = match (said, seen) {
            (Some(said), Some(seen)) => Some(seen.with_source_checksums_of(&said)),
            (said, seen) => said.or(seen),
        };
        if inventory.as_ref().is_some_and(|inventory| inventory.tables.is_empty()) {
            self.warn(Operation::Backup, warnings, "the dump holds no tables".to_owned());
        }
        Ok(inventory)
    }

    async fn store_companion(
        &self,
        companion: Companion,
        claim: &mut Claim,
        meter: &Meter,
        options: PutOptions,
    ) -> Result<(String, CompanionObject, Vec<StoredCopy>)> {
        let [format, compression, encryption] = self.extensions(&companion.extension);
        let extensions = [companion.name.as_str(), format, compression, encryption];
        let key = Layout::of(claim.backup()).artifact(&extensions)?;
        claim.will_put(key.clone());
        let source = Source { body: companion.body, encoding: None, inspector: Inspector::blind() };
        let Stored { artifact, plain, copies, .. } = self.store_one(key, source, meter, options).await?;
        Ok((companion.name, CompanionObject::new(artifact, plain), copies))
    }

    /// One stream into one object: inspect → digest → compress → encrypt → digest → put.
    ///
    /// What comes compressed in the pipeline's own format is stored as it comes, and decoded on the side.
    async fn store_one(
        &self,
        key: Key,
        source: Source,
        meter: &Meter,
        options: PutOptions,
    ) -> Result<Stored> {
        let Source { body, encoding, inspector } = source;
        let places = inspector.places;
        let (plain_size, stored_size) = (ByteCount::default(), ByteCount::default());
        let (plain_tap, plain_digest) = DigestTap::new(Algorithm::for_plain())?;
        let (stored_tap, stored_digest) = DigestTap::new(Algorithm::Sha256)?;
        let mut taps: Vec<Box<dyn Tap>> = vec![
            Box::new(meter.plain.clone()),
            Box::new(plain_size.clone()),
            inspector.tap,
            Box::new(plain_tap),
        ];
        let is_ours = encoding.as_ref().is_some_and(|encoding| encoding.format == self.compressor.name());
        let mut stages = Stages::new();
        let mut frames = None;
        let decoder = match encoding {
            None => None,
            Some(encoding) => {
                let (decoder, check) = encoding.into_parts()?;
                taps.push(check);
                Some(decoder)
            }
        };
        match decoder {
            Some(decoder) if is_ours => stages = stages.transform(Box::new(Beside::new(decoder, taps))),
            decoder => {
                stages = decoder.into_iter().fold(stages, Stages::transform);
                stages = taps.into_iter().fold(stages, Stages::boxed_tap);
                let mut encoder = self.compressor.encoder()?;
                // An index is good for nothing where an encrypted artifact cannot be read from its middle on.
                if self.encryptor.as_ref().is_none_or(|encryptor| encryptor.parts().is_some()) {
                    let (framed, index) = Framed::new(encoder, places, Limits::default())?;
                    (encoder, frames) = (Box::new(framed), Some(index));
                }
                stages = stages.transform(encoder);
            }
        }
        if let Some(encryptor) = &self.encryptor {
            stages = stages.transform(encryptor.seal()?);
        }
        let stages = stages.tap(stored_tap).tap(stored_size.clone()).tap(meter.stored.clone());
        let meta = self.store.put(&key, stages.run(body), options).await?;
        let (Some(plain_digest), Some(stored_digest)) = (plain_digest.take(), stored_digest.take()) else {
            return Err(Error::new(
                ErrorKind::Unexpected,
                "the store reported success before the dump had ended",
            ));
        };
        if plain_size.get() == 0 {
            return Err(Error::new(ErrorKind::Incomplete, "the dump is empty"));
        }
        if meta.size != stored_size.get() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the store holds another number of bytes than were sent",
            )
            .with_context("sent_bytes", stored_size.get())
            .with_context("stored_bytes", meta.size));
        }
        Ok(Stored {
            artifact: Artifact::new(key, meta.size, stored_digest),
            plain: Plain::new(plain_size.get(), plain_digest),
            frames: frames.and_then(|index| index.take()),
            copies: meta.copies,
        })
    }
}

fn not_counted() -> Error {
    Error::new(ErrorKind::Unexpected, "the dump ended before its rows were counted at the source")
}

/// What was stored as one object.
struct Stored {
    artifact: Artifact,
    plain: Plain,
    frames: Option<FrameIndex>,
    copies: Vec<StoredCopy>,
}

/// What is stored as one object.
struct Source {
    body: ByteStream,
    encoding: Option<Encoding>,
    inspector: Inspector,
}
