//! Which client restores into which server.

use std::cmp::Reverse;

use backup_core::{Error, ErrorKind, Result};

use super::{Client, Version, install_hint, list};

/// Whether clients may be used that a hostile dump could make run code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientSafety {
    /// Only versions with the fixes of CVE-2025-8714 and CVE-2025-8715; see [`Version::restores_safely`].
    #[default]
    Required,
    /// Any version: the dump is trusted.
    TrustDump,
}

/// What is known before a restore.
#[derive(Debug, Clone)]
pub(crate) struct RestoreNeeds {
    pub(crate) target: Version,
    /// The server that the dump came from.
    pub(crate) source: Option<Version>,
    pub(crate) archive: bool,
    pub(crate) safety: ClientSafety,
}

/// Since this major version, `pg_restore` sets a parameter that older servers do not know, and archives have
/// a format that older ones cannot read.
const TRANSACTION_TIMEOUT: u32 = 17;

/// Chooses the client: of the target's major version, else the nearest newer, else the nearest older one.
pub(crate) fn client_for_restore<'a>(installed: &'a [Client], needs: &RestoreNeeds) -> Result<&'a Client> {
    let target = needs.target;
    let old_target = needs.archive && target.major < TRANSACTION_TIMEOUT;
    if old_target && needs.source.is_some_and(|source| source.major >= TRANSACTION_TIMEOUT) {
        return Err(Error::new(
            ErrorKind::ToolVersion,
            "the archive is of a newer format than the target takes",
        )
        .with_context("source", needs.source.unwrap_or(target))
        .with_context("target", target)
        .with_suggestion(
            "restore into a server of the source's version, or dump in the plain format, which is fitted \
                 to the target",
        ));
    }
    let safe = |client: &&Client| needs.safety == ClientSafety::TrustDump || client.version.restores_safely();
    if !installed.iter().any(|client| safe(&client)) {
        return Err(Error::new(
            ErrorKind::ToolVersion,
            "every installed client runs code that a hostile dump holds",
        )
        .with_context("installed", list(installed))
        .with_context("safe", format!("{} or newer of its major version", target.safe_version()))
        .with_suggestion(
            "update the client package: CVE-2025-8714 and CVE-2025-8715 are fixed since August 2025",
        )
        .with_suggestion("or say that the dump is trusted (ClientSafety::TrustDump)"));
    }
    installed
        .iter()
        .filter(safe)
        .filter(|client| !old_target || client.version.major < TRANSACTION_TIMEOUT)
        .min_by_key(|client| {
            let major = client.version.major;
            (major < target.major, major.abs_diff(target.major), Reverse(client.version.minor))
        })
        .ok_or_else(|| {
            Error::new(ErrorKind::ToolVersion, "every installed pg_restore is too new for the target")
                .with_context("installed", list(installed))
                .with_context("target", target)
                .with_suggestion(install_hint(target.major))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(installed: &[(u32, u32)], needs: &RestoreNeeds) -> Result<Version> {
        let clients: Vec<_> =
            installed.iter().map(|(major, minor)| Client::of(Version::new(*major, *minor))).collect();
        client_for_restore(&clients, needs).map(|client| client.version)
    }

    fn needs(target: u32) -> RestoreNeeds {
        RestoreNeeds {
            target: Version::new(target, 1),
            source: None,
            archive: false,
            safety: ClientSafety::Required,
        }
    }

    #[test]
    fn unsafe_clients_are_refused_unless_the_dump_is_trusted() {
        let err = chosen(&[(12, 22), (15, 13)], &needs(15)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolVersion);
        assert!(err.to_string().contains("safe: 15.14"), "{err}");
        let trusting = RestoreNeeds { safety: ClientSafety::TrustDump, ..needs(15) };
        assert_eq!(chosen(&[(12, 22), (15, 13)], &trusting).unwrap(), Version::new(15, 13));
        assert_eq!(chosen(&[(15, 13), (16, 10)], &needs(15)).unwrap(), Version::new(16, 10));
    }

    #[test]
    fn the_targets_own_version_is_preferred() {
        let installed = [(13, 22), (15, 14), (15, 18), (17, 6), (18, 1)];
        for (target, expected) in [(15, (15, 18)), (16, (17, 6)), (19, (18, 1)), (12, (13, 22))] {
            assert_eq!(chosen(&installed, &needs(target)).unwrap(), Version::new(expected.0, expected.1));
        }
    }

    #[test]
    fn an_archive_is_never_given_to_a_pg_restore_that_the_target_does_not_understand() {
        let archive = RestoreNeeds { archive: true, ..needs(16) };
        assert_eq!(chosen(&[(15, 18), (17, 6)], &archive).unwrap(), Version::new(15, 18));
        assert_eq!(chosen(&[(17, 6)], &archive).unwrap_err().kind(), ErrorKind::ToolVersion);
        let newer = RestoreNeeds { source: Some(Version::new(17, 2)), ..archive };
        assert_eq!(chosen(&[(15, 18), (17, 6)], &newer).unwrap_err().kind(), ErrorKind::ToolVersion);
    }
}
