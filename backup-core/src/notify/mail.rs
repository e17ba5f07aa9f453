use std::{fmt, net::IpAddr, time::Duration};

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};

use super::text::{body, headline, shortened};
use crate::{Alert, Error, ErrorKind, Notifier, Result, Retryable, Secret};

/// How long one mail to one recipient may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 200;

/// The server that mails are handed to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// How the way there is encrypted.
    pub tls: MailTls,
    /// Its port, where it is not the usual one.
    pub port: Option<u16>,
    /// The user's name and password, where it asks for them.
    pub login: Option<(String, Secret)>,
}

/// How the way to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailTls {
    /// From the first byte on; port 465 unless said.
    Implicit,
    /// After a greeting, and never without it; port 587 unless said.
    StartTls,
    /// Not at all, to a server on this host; port 25 unless said.
    NoneOnThisHost,
    /// Not at all, over a network that everybody can be trusted on; a password is refused. Port 25 unless said.
    NoneOverNetwork,
}

impl MailServer {
    /// A server without login.
    pub fn new(host: impl Into<String>, tls: MailTls) -> Self {
        Self { host: host.into(), tls, port: None, login: None }
    }

    /// Says its port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Says who logs in.
    #[must_use]
    pub fn with_login(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
        let is_here = self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let refuse = |message: &str| {
            Error::new(ErrorKind::InvalidInput, message).with_context("host", self.host.escape_debug())
        };
        match self.tls {
            MailTls::NoneOnThisHost if !is_here => {
                return Err(refuse("mails would cross the network unencrypted")
                    .with_suggestion("use TLS, or say that the network can be trusted"));
            }
            MailTls::NoneOverNetwork if self.login.is_some() => {
                return Err(refuse("the password would cross the network unencrypted")
                    .with_suggestion("use TLS, or a server that needs no password"));
            }
            _ => {}
        }
        // Builds on aws-lc-rs, unless the application has installed another provider of rustls.
        let parameters = || {
            TlsParameters::new(self.host.clone()).map_err(|err| {
                refuse("TLS to the mail server cannot be set up")
                    .with_suggestion(
                        "check the name of the host; install the certificates of public authorities",
                    )
                    .with_source(err)
            })
        };
        let (tls, port) = match self.tls {
            MailTls::Implicit => (Tls::Wrapper(parameters()?), 465),
            MailTls::StartTls => (Tls::Required(parameters()?), 587),
            MailTls::NoneOnThisHost | MailTls::NoneOverNetwork => (Tls::None, 25),
        };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
            .tls(tls)
            .port(self.port.unwrap_or(port))
            .timeout(Some(TIMEOUT));
        Ok(match &self.login {
            None => transport.build(),
            Some((user, password)) => {
                transport.credentials(Credentials::new(user.clone(), password.expose().to_owned())).build()
            }
        })
    }
}

/// Sends alerts as plain mails that say what happened, where, and what to do.
///
/// Each recipient gets a mail of its own, so that one whom the server does not know keeps it from nobody else; it is
/// an error where nobody got one.
#[derive(Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
}

impl Mail {
    /// Sends by `server`, from an address such as `Backups <backups@shop.example>`.
    ///
    /// With TLS it reads the certificates of the system, which blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a text that is no address, for nobody to send to, and for a way
    /// without encryption that was not asked for.
    pub fn new<'a>(server: &MailServer, from: &str, to: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let to: Vec<_> = to.into_iter().map(address).collect::<Result<_>>()?;
        if to.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "nobody would get the mails")
                .with_suggestion("name at least one recipient"));
        }
        let (transport, from, host) = (server.transport()?, address(from)?, server.host.clone());
        Ok(Self { transport, host, from, to, timeout: TIMEOUT })
    }

    /// Says how long one mail to one recipient may take; 20 seconds unless said.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn send(&self, alert: &Alert, to: &Mailbox) -> Result<()> {
        let unfit = |err: lettre::error::Error| {
            Error::new(ErrorKind::Unexpected, "cannot write the mail").with_source(err)
        };
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.clone())
            .subject(shortened(&headline(alert), MAX_SUBJECT))
            .header(ContentType::TEXT_PLAIN)
            .body(body(alert))
            .map_err(unfit)?;
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()]).map_err(unfit)?;
        let bytes = message.formatted();
        let sent = tokio::time::timeout(self.timeout, self.transport.send_raw(&envelope, &bytes)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(err)) => Err(self.refused(err)),
            Err(_) => Err(self
                .error(ErrorKind::Timeout, "the mail server did not answer in time")
                .with_context("limit_ms", self.timeout.as_millis())),
        }
    }

    fn refused(&self, err: lettre::transport::smtp::Error) -> Error {
        let Some(code) = err.status() else {
            // What is not an answer of the server is about the way to it.
            let lost = self.error(ErrorKind::Unavailable, "the mail server cannot be reached");
            let retryable = if err.is_tls() || err.is_client() { Retryable::No } else { Retryable::Yes };
            return lost
                .with_retryable(retryable)
                .with_suggestion("check host, port, encryption and certificate of the mail server")
                .with_source(err);
        };
        let code = code.to_string();
        // The text of an answer to a login may repeat it.
        if matches!(code.as_str(), "530" | "534" | "535" | "538") {
            return self
                .error(ErrorKind::PermissionDenied, "the mail server refuses the login")
                .with_context("status", code)
                .with_suggestion("check user and password of the mail server");
        }
        let refused = if err.is_transient() {
            self.error(ErrorKind::Unavailable, "the mail server does not take the mail for now")
        } else {
            self.error(ErrorKind::InvalidInput, "the mail server refuses the mail")
        };
        refused
            .with_context("status", code)
            .with_suggestion("check sender and recipients, and the log of the mail server")
            .with_source(err)
    }

    fn error(&self, kind: ErrorKind, message: &str) -> Error {
        Error::new(kind, message).with_context("host", &self.host)
    }
}

fn address(text: &str) -> Result<Mailbox> {
    text.parse().map_err(|err: lettre::address::AddressError| {
        Error::new(ErrorKind::InvalidInput, "not an address of mail")
            .with_context("address", text.escape_debug())
            .with_suggestion("write it as name@host, or as Name <name@host>")
            .with_source(err)
    })
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Notifier for Mail {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        let sent = futures::future::join_all(self.to.iter().map(|to| self.send(alert, to))).await;
        let is_sent = sent.iter().any(Result::is_ok);
        let mut first = None;
        for (to, err) in self.to.iter().zip(sent).filter_map(|(to, sent)| sent.err().map(|err| (to, err))) {
            if is_sent {
                tracing::warn!(%to, code = err.code(), "an alert was not mailed: {err}");
            }
            first = first.or(Some(err));
        }
        first.filter(|_| !is_sent).map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("host", &self.host).field("to", &self.to).finish_non_exhaustive()
    }
}
