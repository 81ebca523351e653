//! A database URL, checked before anything connects: its scheme, its form, and that it says where to and as whom.
//!
//! The driver takes any URL, fills what is missing from `PGHOST` and the like, and quotes what it does not understand. A URL
//! of another kind would then be sent to another server, and a password would stand in a log. Here no error holds any part
//! of the URL.

use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::error::{Said, StoreError};

const DEFAULT_PORT: u16 = 5432;
/// Parameters of the query that are obeyed. Any other is refused: one that asks for more safety must not be dropped without
/// a word, and what follows an unescaped `&` of a password must not be shown.
const PARAMETERS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "channel_binding",
];

/// Where to connect and as whom, and what of it must not be shown.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) options: PgConnectOptions,
    /// The URL says as what program to be known.
    pub(crate) has_application_name: bool,
    secrets: Vec<(String, &'static str)>,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`StoreError::Url`], with a reason that holds nothing of the URL.
    pub(crate) fn parse(url: &SecretString) -> Result<Self, StoreError> {
        let parts = Parts::of(url.expose_secret()).map_err(|reason| StoreError::Url {
            reason: reason.to_owned(),
        })?;
        // The driver reads the query, and passwords with their escapes; what it says of them may quote them.
        let options = PgConnectOptions::from_str(&parts.url).map_err(|_| StoreError::Url {
            reason: "a parameter after the ? has a value that is none of it".to_owned(),
        })?;
        let options = parts.placed(options);
        let secrets = [
            (options.get_username().to_owned(), "<user>"),
            (
                options.get_database().unwrap_or_default().to_owned(),
                "<database>",
            ),
            (options.get_host().to_owned(), "<host>"),
        ];
        Ok(Self {
            options,
            has_application_name: parts.has_application_name,
            secrets: secrets.to_vec(),
        })
    }

    /// Why a connection could not be made, in words that hold nothing of the URL.
    pub(crate) fn failed(&self, cause: sqlx::Error) -> StoreError {
        let said = self.without_url(&StoreError::said(&cause));
        // What a pooler answers to settings that it does not pass on.
        if said.contains("unsupported startup parameter") {
            return StoreError::Pooler { reason: said };
        }
        StoreError::Connect {
            said: Said(said),
            cause,
        }
    }

    /// A text of the server or the driver without what the URL says.
    fn without_url(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (secret, shown) in self.secrets.iter().filter(|(secret, _)| !secret.is_empty()) {
            for quote in ['"', '\'', '`'] {
                text = text.replace(&format!("{quote}{secret}{quote}"), shown);
            }
        }
        text
    }
}

/// What a URL says, as far as it is not left to the driver.
struct Parts {
    /// The URL as the driver is to read it.
    url: String,
    /// A host without the brackets of an IPv6 address, unless the query names one.
    host: Option<String>,
    port: Option<u16>,
    has_database: bool,
    has_sslmode: bool,
    has_application_name: bool,
    /// An authority is named, so the server's certificate is to be one of its, whatever `sslmode=require` alone would take:
    /// PostgreSQL's own clients do so.
    verifies: bool,
}

type Reason = &'static str;

impl Parts {
    fn of(text: &str) -> Result<Self, Reason> {
        if text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '\u{feff}')
        {
            return Err("it holds a blank, a line break or a byte order mark");
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("it is not a URL that begins with postgres:// or postgresql://")?;
        if !["postgres", "postgresql"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err("its scheme is neither postgres nor postgresql");
        }
        if rest.contains('#') {
            return Err("it holds a #; in a user or password write %23");
        }
        let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = before_query.split_once('/').unwrap_or((before_query, ""));
        if database.contains(['/', '@']) {
            return Err("what follows the host is not one name of a database; in a password write / as %2F");
        }
        let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = address_of(address)?;
        let query = Query::of(query)?;
        if login.split(':').next().unwrap_or_default().is_empty() && !query.has("user") {
            return Err("it names no user");
        }
        let host_in_query = query.has("host") || query.has("hostaddr");
        if host.is_empty() && !host_in_query {
            return Err("it names no host");
        }
        if query.has("channel_binding") && query.value("channel_binding") == Some("require") {
            return Err("channel_binding=require is not supported");
        }
        // An address in brackets is set afterwards, so the driver is given one that it understands anywhere.
        let at = if login.is_empty() { "" } else { "@" };
        let shown_host = if address.starts_with('[') {
            "localhost"
        } else {
            host
        };
        let separator = if query.passed.is_empty() { "" } else { "?" };
        Ok(Self {
            url: format!(
                "postgres://{login}{at}{shown_host}/{database}{separator}{}",
                query.passed
            ),
            host: (!host_in_query && address.starts_with('[')).then(|| host.to_owned()),
            port: if query.has("port") { None } else { Some(port) },
            has_database: !database.is_empty() || query.has("dbname"),
            has_sslmode: query.has("sslmode") || query.has("ssl-mode"),
            has_application_name: query.has("application_name"),
            verifies: ["sslrootcert", "ssl-root-cert", "ssl-ca"]
                .iter()
                .any(|name| query.has(name)),
        })
    }

    /// The driver's options with what the URL says, or the same default everywhere: `PGHOST`, `PGPORT`, `PGUSER`,
    /// `PGDATABASE`, `PGSSLMODE` and `PGAPPNAME` are for others.
    fn placed(&self, mut options: PgConnectOptions) -> PgConnectOptions {
        if let Some(host) = &self.host {
            options = options.host(host);
        }
        if let Some(port) = self.port {
            options = options.port(port);
        }
        if !self.has_database {
            let user = options.get_username().to_owned();
            options = options.database(&user);
        }
        if !self.has_sslmode {
            options = options.ssl_mode(PgSslMode::Prefer);
        }
        if self.verifies && matches!(options.get_ssl_mode(), PgSslMode::Require) {
            options = options.ssl_mode(PgSslMode::VerifyCa);
        }
        options
    }
}

/// Host, without brackets, and port.
fn address_of(address: &str) -> Result<(&str, u16), Reason> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest
                .split_once(']')
                .ok_or("the [ of its IPv6 address is not closed")?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| "what stands in [ ] is not an IPv6 address")?;
            (
                host,
                port.strip_prefix(':')
                    .or(port.is_empty().then_some(""))
                    .ok_or(PORT)?,
            )
        }
        None => address.split_once(':').unwrap_or((address, "")),
    };
    if host.contains(',') {
        return Err("it names more than one host");
    }
    let port = match port {
        "" => DEFAULT_PORT,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port > 0).ok_or(PORT)?
        }
        _ => return Err(PORT),
    };
    Ok((host, port))
}

const PORT: Reason =
    "its port is not a number from 1 to 65535; an IPv6 address needs [ ], and in a password : is %3A";

/// The parameters after the `?`.
struct Query<'a> {
    pairs: Vec<(&'a str, &'a str)>,
    /// What the driver is to read.
    passed: String,
}

impl<'a> Query<'a> {
    fn of(text: &'a str) -> Result<Self, Reason> {
        let pairs: Vec<(&str, &str)> = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let known =
            |name: &str| PARAMETERS.contains(&name) || (name.starts_with("options[") && name.ends_with(']'));
        if !pairs.iter().all(|(name, _)| known(name)) {
            return Err(
                "it has a parameter after the ? that is not supported; in a password write ? as %3F and & as %26 \
                 (docs/configuration.md lists those there are)",
            );
        }
        let passed = pairs.iter().filter(|(name, _)| *name != "channel_binding");
        Ok(Self {
            passed: passed
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("&"),
            pairs,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(other, _)| *other == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::Endpoint;
    use crate::error::StoreError;

    fn read(url: &str) -> Result<Endpoint, StoreError> {
        Endpoint::parse(&SecretString::from(url))
    }

    #[test]
    fn a_url_says_where_to_and_as_whom() {
        for (url, host, port, user, database) in [
            (
                "postgres://nsc_api:s3cret@db.example:6543/bo",
                "db.example",
                6543,
                "nsc_api",
                "bo",
            ),
            (
                "postgresql://u@127.0.0.1/bo?sslmode=require",
                "127.0.0.1",
                5432,
                "u",
                "bo",
            ),
            ("POSTGRES://u@h", "h", 5432, "u", "u"),
            ("postgres://u:p@[::1]:5433/bo", "::1", 5433, "u", "bo"),
            ("postgres://u:p@[2001:db8::7]/bo", "2001:db8::7", 5432, "u", "bo"),
            ("postgres://u:a@b@h/bo", "h", 5432, "u", "bo"),
            ("postgres:///bo?host=db&user=u&port=7", "db", 7, "u", "bo"),
            (
                "postgres://u%40tenant:p%2F%3F%23@h/b%20o",
                "h",
                5432,
                "u@tenant",
                "b o",
            ),
            ("postgres://u@h/bo?channel_binding=prefer", "h", 5432, "u", "bo"),
        ] {
            let options = read(url).unwrap_or_else(|e| panic!("{url}: {e:?}")).options;
            assert_eq!((options.get_host(), options.get_port()), (host, port), "{url}");
            assert_eq!(
                (options.get_username(), options.get_database()),
                (user, Some(database)),
                "{url}"
            );
        }
        let socket = read("postgres://u@%2Frun%2Fpostgresql/bo").unwrap().options;
        assert_eq!(socket.get_socket().unwrap().to_str(), Some("/run/postgresql"));
    }

    #[test]
    fn any_other_text_is_refused_without_a_word_of_it() {
        for url in [
            "",
            "s3cret",
            "jdbc:postgresql://nsc_api:s3cret@db.prod.example:5432/bo",
            "https://nsc_api:s3cret@127.0.0.1/bo",
            "mysql://nsc_api:s3cret@127.0.0.1/bo",
            "postgresql+asyncpg://nsc_api:s3cret@127.0.0.1/bo",
            "postgres:nsc_api:s3cret@127.0.0.1/bo",
            "host=127.0.0.1 user=nsc_api password=s3cret",
            "postgres://:s3cret@127.0.0.1/bo",
            "postgres://127.0.0.1/s3cret",
            "postgres://nsc_api:s3cret@/bo",
            "postgres://nsc_api:s3cret@127.0.0.1:70000/bo",
            "postgres://nsc_api:s3cret@127.0.0.1:s3cret/bo",
            "postgres://nsc_api:s3cret@::1/bo",
            "postgres://nsc_api:s3cret@[s3cret]/bo",
            "postgres://nsc_api:s3cret@[::1/bo",
            "postgres://nsc_api:s3cret@a,b/bo",
            "postgres://nsc_api:12#s3cret@127.0.0.1/bo",
            "postgres://nsc_api:12/s3cret@127.0.0.1/bo",
            "postgres://nsc_api:12?s3cret@127.0.0.1/bo",
            "postgres://nsc_api:x@127.0.0.1/bo?sslmode=s3cret",
            "postgres://nsc_api:x@127.0.0.1/bo?port=s3cret",
            "postgres://nsc_api:x@127.0.0.1/bo?pasword=s3cret",
            "postgres://nsc_api:x@127.0.0.1/bo?password=a&s3cret",
            "postgres://nsc_api:x@127.0.0.1/bo?target_session_attrs=s3cret",
            "postgres://nsc_api:s3cret@127.0.0.1/bo\npostgres://other@127.0.0.1/bo",
            " postgres://nsc_api:s3cret@127.0.0.1/bo",
            "\u{feff}postgres://nsc_api:s3cret@127.0.0.1/bo",
        ] {
            let Err(StoreError::Url { reason }) = read(url) else {
                panic!("taken: {url:?}");
            };
            for part in ["s3cret", "nsc_api", "127.0.0.1", "prod"] {
                assert!(!reason.contains(part), "{url:?}: {reason}");
            }
        }
    }

    #[test]
    fn what_a_server_says_is_shown_without_the_url() {
        let endpoint = read("postgres://nsc_api:s3cret@db.example/bo").unwrap();
        let said = endpoint
            .without_url("password authentication failed for user \"nsc_api\", database \"bo\" at bo");
        assert_eq!(
            said,
            "password authentication failed for user <user>, database <database> at bo"
        );
    }
}
