//! Where the database is, and how it is used.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use tokio_postgres::config::{Host, SslMode};

use crate::error::{Chain, ConnectError};

/// Whether connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    /// As `sslmode=verify-full`: the server's certificate must be good, and for the host's name.
    VerifyFull {
        /// A PEM file with the authorities to trust; `None`: those that the system trusts.
        authorities: Option<PathBuf>,
    },
    /// Not. What is sent can be read and changed on its way.
    Off,
}

/// Where the database is, and how it is used.
///
/// ```
/// use annals_postgres::Settings;
///
/// let settings = Settings::parse("postgresql://shop@db.example.org/shop?sslrootcert=ca.pem")?;
/// let settings = settings.schema("orders").readers(4);
/// # Ok::<(), annals_postgres::ConnectError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: Tls,
    pub(crate) schema: String,
    pub(crate) readers: usize,
    pub(crate) gathered_max: usize,
    pub(crate) is_prepared: bool,
    pub(crate) patience: Duration,
    pub(crate) poll_interval: Duration,
}

impl Settings {
    /// From a connection string, as libpq takes it: a URL, or `key=value` pairs.
    ///
    /// TLS is used and the certificate verified unless all hosts are on this machine, or
    /// `sslmode=disable` says otherwise. There is no half of it: `prefer` and `allow` are refused,
    /// since who listens on the way could choose.
    ///
    /// # Errors
    /// [`ConnectError::Settings`]: it cannot be read, or asks for what is refused.
    pub fn parse(connection: &str) -> Result<Self, ConnectError> {
        let Pieces { rest, mode, authorities } = Pieces::of(connection);
        let mut config: tokio_postgres::Config = rest
            .parse()
            .map_err(|error| ConnectError::Settings { what: format!("{}", Chain(&error)) })?;
        // An address goes before the name that it is given for.
        let is_local = config.get_hosts().iter().all(is_local)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        let tls = match mode.as_deref() {
            Some("disable") => Tls::Off,
            None if is_local && authorities.is_none() => Tls::Off,
            // Verified in all three: more than the first two ask for.
            None | Some("require" | "verify-ca" | "verify-full") => Tls::VerifyFull { authorities },
            Some(other) => {
                let what = format!("sslmode={other} is not safe; use verify-full or disable");
                return Err(ConnectError::Settings { what });
            }
        };
        let is_off = tls == Tls::Off;
        config.ssl_mode(if is_off { SslMode::Disable } else { SslMode::Require });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_application_name().is_none() {
            config.application_name("annals");
        }
        Ok(Self {
            config,
            tls,
            schema: "annals".to_owned(),
            readers: 3,
            gathered_max: 256,
            is_prepared: true,
            patience: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
        })
    }

    /// The schema that the tables are in; `annals` unless said.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// How many connections read; one more appends. At least 1; 3 unless said.
    #[must_use]
    pub fn readers(mut self, connections: usize) -> Self {
        self.readers = connections.max(1);
        self
    }

    /// At most so many appends go to the server in one call, and so many reads in one query. At
    /// least 1; 256 unless said.
    #[must_use]
    pub fn gathered_max(mut self, calls: usize) -> Self {
        self.gathered_max = calls.max(1);
        self
    }

    /// Whether statements are prepared once for each connection, which is so unless said. Some
    /// proxies cannot bear it.
    #[must_use]
    pub fn prepared(mut self, is_prepared: bool) -> Self {
        self.is_prepared = is_prepared;
        self
    }

    /// How long a call waits for a server that is away, and for the outcome of an append that was
    /// on its way. 30 seconds unless said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How often a subscription looks for events of which it heard nothing. Every second unless
    /// said.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Host and port, for errors.
    pub(crate) fn server(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<_> = hosts.collect();
        let ports: Vec<_> = self.config.get_ports().iter().map(u16::to_string).collect();
        let port = if ports.is_empty() { "5432".to_owned() } else { ports.join(",") };
        format!("{}:{port}", hosts.join(","))
    }

    pub(crate) fn user(&self) -> String {
        self.config.get_user().unwrap_or_default().to_owned()
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// A connection string, and what the driver would not understand in it.
struct Pieces {
    rest: String,
    mode: Option<String>,
    authorities: Option<PathBuf>,
}

impl Pieces {
    fn of(connection: &str) -> Self {
        let is_url = connection.contains("://");
        let (base, parameters) = match connection.split_once('?') {
            Some((base, parameters)) if is_url => (base, parameters),
            _ if is_url => (connection, ""),
            _ => ("", connection),
        };
        let separator = if is_url { '&' } else { ' ' };
        let (mut mode, mut authorities, mut kept) = (None, None, Vec::new());
        for parameter in pieces(parameters, separator, !is_url) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", value)) => authorities = Some(PathBuf::from(value)),
                _ => kept.push(parameter),
            }
        }
        let kept = kept.join(&separator.to_string());
        let rest = if is_url && !kept.is_empty() {
            format!("{base}?{kept}")
        } else {
            base.to_owned() + &kept
        };
        Self { rest, mode, authorities }
    }
}

/// Splits at a separator outside of quotes, if there are quotes. What is quoted is a value, with all
/// its spaces.
fn pieces(text: &str, separator: char, has_quotes: bool) -> Vec<&str> {
    let (mut pieces, mut from, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if has_quotes => is_escaped = true,
            '\'' if has_quotes => is_quoted = !is_quoted,
            _ if character == separator && !is_quoted => {
                pieces.extend(text.get(from..at));
                from = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    pieces.extend(text.get(from..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(connection: &str) -> Tls {
        Settings::parse(connection).unwrap().tls
    }

    #[test]
    fn whoever_is_not_on_this_machine_is_verified() {
        let verified = Tls::VerifyFull { authorities: None };
        assert_eq!(tls("postgresql://u@db.example.org/d"), verified);
        assert_eq!(tls("host=db.example.org user=u"), verified);
        assert_eq!(tls("host=/run/postgresql,db.example.org user=u"), verified);
        assert_eq!(tls("postgresql://u@db.example.org/d?sslmode=require"), verified);
        let authorities = Some(PathBuf::from("/etc/ca.pem"));
        let with_file = Tls::VerifyFull { authorities };
        let url = "postgresql://u@localhost/d?sslmode=verify-full&sslrootcert=/etc/ca.pem";
        assert_eq!(tls(url), with_file);
        assert_eq!(tls("host=localhost sslrootcert=/etc/ca.pem dbname=d"), with_file);
        assert_eq!(tls("postgresql://u@localhost/d"), Tls::Off);
        assert_eq!(tls("host=/run/postgresql dbname=d"), Tls::Off);
        assert_eq!(tls("postgresql://u@db.example.org/d?sslmode=disable"), Tls::Off);
    }

    /// The address is where the driver goes; the name is only what the certificate must have. It was
    /// once the name alone that was looked at, so this went over the net without TLS.
    #[test]
    fn a_local_name_for_an_address_elsewhere_is_not_local() {
        let verified = Tls::VerifyFull { authorities: None };
        assert_eq!(tls("host=localhost hostaddr=192.0.2.1 user=u"), verified);
        assert_eq!(tls("hostaddr=192.0.2.1 user=u"), verified);
        assert_eq!(tls("host=localhost hostaddr=127.0.0.1 user=u"), Tls::Off);
    }

    /// A password with two spaces lost one of them, and one could say `sslmode`.
    #[test]
    fn what_is_quoted_is_a_value() {
        let settings =
            Settings::parse(r"host=db.example.org password='a  b\' sslmode=disable'  user=u");
        let settings = settings.unwrap();
        assert_eq!(settings.config.get_password(), Some(&b"a  b' sslmode=disable"[..]));
        assert_eq!(settings.tls, Tls::VerifyFull { authorities: None });
        assert_eq!(settings.user(), "u");
    }

    #[test]
    fn what_cannot_be_is_refused_and_no_password_is_shown() {
        for wrong in [
            "postgresql://u@db.example.org/d?sslmode=prefer",
            "postgresql://u@db.example.org/d?sslmode=allow",
            "host=a nonsense",
            "postgresql://u@h:port/d",
            "host=a port=70000",
        ] {
            let error = Settings::parse(wrong).unwrap_err();
            assert!(matches!(error, ConnectError::Settings { .. }), "{error:?}");
        }
        let settings = Settings::parse("postgresql://u:secret@localhost/d").unwrap();
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
