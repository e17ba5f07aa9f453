//! [`NotifierSettings`]: who is told, and how.

use super::{Place, SecretRef, Value, table::Table};
use crate::{ErrorKind, Severity};
#[cfg(any(feature = "webhook", feature = "mail"))]
use {
    crate::{Notifier, Result},
    std::sync::Arc,
};

/// The kinds of notifiers.
const KINDS: [(&str, Word); 5] = [
    ("webhook", Word::Webhook),
    ("slack", Word::Slack),
    ("pagerduty", Word::PagerDuty),
    ("healthchecks", Word::Healthchecks),
    ("mail", Word::Mail),
];
/// How severe troubles are.
const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Webhook,
    Slack,
    PagerDuty,
    Healthchecks,
    Mail,
}

/// Who is told of troubles, and from which severity on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NotifierSettings {
    /// The way.
    pub way: NotifierWay,
    /// It is told of troubles of this severity and worse; of warnings unless said.
    pub minimum_severity: Severity,
    /// Where it stands in the file.
    pub place: Place,
}

/// The way to who is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NotifierWay {
    /// JSON to a URL.
    Webhook(SecretRef),
    /// An incoming webhook of Slack.
    Slack(SecretRef),
    /// The routing key of a service of `PagerDuty`.
    PagerDuty(SecretRef),
    /// The URL of a check of healthchecks.io, which hears of each backup and is no notifier of troubles.
    Healthchecks(SecretRef),
    /// Mails.
    Mail(MailSettings),
}

/// How mails are sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MailSettings {
    /// The mail server's name or address.
    pub host: String,
    /// Its port, where it is not the usual one.
    pub port: Option<u16>,
    /// How the way there is encrypted.
    pub tls: MailEncryption,
    /// Who logs in, and where the password is.
    pub login: Option<(String, SecretRef)>,
    /// Whom mails are from.
    pub from: String,
    /// Whom they are sent to.
    pub to: Vec<String>,
}

/// How the way to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailEncryption {
    /// `implicit`: from the first byte on.
    Implicit,
    /// `starttls`: after a greeting, and never without it.
    StartTls,
    /// `none-on-this-host`: not at all, to a server on this host.
    NoneOnThisHost,
    /// `none-over-network`: not at all, over a network that everybody can be trusted on.
    NoneOverNetwork,
}

impl NotifierSettings {
    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        let mut table = value.table()?;
        let words = KINDS.map(|(word, _)| word).join(", ");
        let kind = table.required("kind", &format!("write one of {words}"))?;
        let (document, place) = (kind.document, kind.place.clone());
        let word = kind.one_of(&KINDS)?;
        let missing = if word == Word::Mail { mail_feature() } else { webhook_feature() };
        if let Some(feature) = missing {
            let allowed = format!("enable the feature `{feature}` of backup-core");
            document.add(place, ErrorKind::Unsupported, "this build lacks the notifier", &allowed);
        }
        let severity = table.take("minimum_severity");
        let minimum_severity = match severity {
            Some(value) if word == Word::Healthchecks => value.refuse(
                ErrorKind::InvalidInput,
                "healthchecks hears of every backup, and of no severity",
                "leave the key out",
            ),
            Some(value) => value.one_of(&SEVERITIES),
            None => Some(Severity::Warning),
        };
        let url = "write where the URL is: url = { env = \"NAME\" }";
        let way = match word {
            Word::Webhook => secret(&mut table, "url", url).map(NotifierWay::Webhook),
            Word::Slack => secret(&mut table, "url", url).map(NotifierWay::Slack),
            Word::Healthchecks => secret(&mut table, "url", url).map(NotifierWay::Healthchecks),
            Word::PagerDuty => {
                let allowed = "write where the key is: routing_key = { env = \"NAME\" }";
                secret(&mut table, "routing_key", allowed).map(NotifierWay::PagerDuty)
            }
            Word::Mail => MailSettings::read(&mut table).map(NotifierWay::Mail),
        };
        let place = table.place().clone();
        table.finish();
        Some(Self { way: way?, minimum_severity: minimum_severity?, place })
    }

    /// Who is told of troubles; `None` for what hears of each backup instead.
    #[cfg(any(feature = "webhook", feature = "mail"))]
    pub(super) async fn notifier(&self) -> Result<Option<Arc<dyn Notifier>>> {
        self.open().await.map_err(|err| self.place.locate(err))
    }

    #[cfg(any(feature = "webhook", feature = "mail"))]
    async fn open(&self) -> Result<Option<Arc<dyn Notifier>>> {
        Ok(Some(match &self.way {
            #[cfg(feature = "webhook")]
            NotifierWay::Webhook(url) => Arc::new(crate::notify::Webhook::new(url.resolve().await?)?),
            #[cfg(feature = "webhook")]
            NotifierWay::Slack(url) => Arc::new(crate::notify::Slack::new(url.resolve().await?)?),
            #[cfg(feature = "webhook")]
            NotifierWay::PagerDuty(key) => Arc::new(crate::notify::PagerDuty::new(key.resolve().await?)?),
            #[cfg(feature = "mail")]
            NotifierWay::Mail(mail) => Arc::new(mail.open().await?),
            // Those that this build lacks were refused when the file was read.
            _ => return Ok(None),
        }))
    }

    /// Who hears of each backup; `None` for what is told of troubles instead.
    #[cfg(feature = "webhook")]
    pub(super) async fn healthchecks(&self) -> Result<Option<crate::notify::Healthchecks>> {
        let NotifierWay::Healthchecks(url) = &self.way else { return Ok(None) };
        let checks = crate::notify::Healthchecks::new(url.resolve().await?);
        checks.map(Some).map_err(|err| self.place.locate(err))
    }
}

impl MailSettings {
    fn read(table: &mut Table<'_, '_>) -> Option<Self> {
        let host = table.required("host", "write the mail server's name").and_then(Value::text);
        let port = table.take("port").and_then(|value| value.number("write a port from 0 to 65535"));
        let ways = [
            ("implicit", MailEncryption::Implicit),
            ("starttls", MailEncryption::StartTls),
            ("none-on-this-host", MailEncryption::NoneOnThisHost),
            ("none-over-network", MailEncryption::NoneOverNetwork),
        ];
        let tls = table.required("tls", "write implicit, starttls, none-on-this-host or none-over-network");
        let tls = tls.and_then(|value| value.one_of(&ways));
        let user = table.take("user").map(Value::text);
        let password = table.take("password").map(SecretRef::read);
        if user.is_some() != password.is_some() {
            let message = "a login needs both a user and a password";
            table.problem(ErrorKind::InvalidInput, message, "write user and password, or neither");
        }
        let from =
            table.required("from", "write an address: Backups <backups@shop.example>").and_then(Value::text);
        let to = table.required("to", "write the addresses: [\"admin@shop.example\"]").and_then(|value| {
            if value.raw.get_ref().as_array().is_some_and(|to| to.is_empty()) {
                return value.refuse(ErrorKind::InvalidInput, "nobody gets the mails", "write an address");
            }
            value.texts()
        });
        let login = user.zip(password).map(|(user, password)| user.zip(password));
        Some(Self {
            host: host?,
            port,
            tls: tls?,
            login: login.map_or(Some(None), |login| login.map(Some))?,
            from: from?,
            to: to?,
        })
    }

    #[cfg(feature = "mail")]
    async fn open(&self) -> Result<crate::notify::Mail> {
        use crate::notify::{Mail, MailServer, MailTls};

        let tls = match self.tls {
            MailEncryption::Implicit => MailTls::Implicit,
            MailEncryption::StartTls => MailTls::StartTls,
            MailEncryption::NoneOnThisHost => MailTls::NoneOnThisHost,
            MailEncryption::NoneOverNetwork => MailTls::NoneOverNetwork,
        };
        let mut server = MailServer::new(&self.host, tls);
        if let Some(port) = self.port {
            server = server.with_port(port);
        }
        if let Some((user, password)) = &self.login {
            server = server.with_login(user, password.resolve().await?);
        }
        Mail::new(&server, &self.from, self.to.iter().map(String::as_str))
    }
}

fn secret(table: &mut Table<'_, '_>, name: &'static str, allowed: &str) -> Option<SecretRef> {
    table.required(name, allowed).and_then(SecretRef::read)
}

/// The feature of webhooks, where this build lacks it.
fn webhook_feature() -> Option<&'static str> {
    (!cfg!(feature = "webhook")).then_some("webhook")
}

/// The feature of mails, where this build lacks it.
fn mail_feature() -> Option<&'static str> {
    (!cfg!(feature = "mail")).then_some("mail")
}
