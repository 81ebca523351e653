//! Makes connections: where to, with which settings, and what is said when it fails.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::endpoint::Endpoint;
use crate::error::StoreError;
use crate::options::DatabaseUrl;
use crate::statements;

/// Makes connections to one database.
pub(crate) struct Connector {
    url: DatabaseUrl,
    application_name: String,
    statement_timeout: Duration,
    /// As it was read last, for as long as a file cannot be read: it may be replaced at this very moment.
    last: Mutex<Endpoint>,
}

impl Connector {
    /// # Errors
    /// [`StoreError::Url`].
    pub(crate) fn new(
        url: DatabaseUrl,
        application_name: &str,
        statement_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let endpoint = Endpoint::parse(&url.read()?)?;
        Ok(Self {
            url,
            application_name: application_name.to_owned(),
            statement_timeout,
            last: Mutex::new(endpoint),
        })
    }

    /// Another one for the same database.
    pub(crate) fn again(&self) -> Self {
        Self {
            url: self.url.clone(),
            application_name: self.application_name.clone(),
            statement_timeout: self.statement_timeout,
            last: Mutex::new(self.remembered()),
        }
    }

    /// A new connection, to where the URL points now.
    ///
    /// # Errors
    /// [`StoreError::Connect`], [`StoreError::Pooler`].
    pub(crate) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let endpoint = self.endpoint();
        crate::tls::choose_provider();
        let connected = self.options(&endpoint).connect().await;
        connected.map_err(|source| endpoint.failed(source))
    }

    fn endpoint(&self) -> Endpoint {
        if matches!(self.url, DatabaseUrl::Given(_)) {
            return self.remembered();
        }
        match self.url.read().and_then(|url| Endpoint::parse(&url)) {
            Ok(now) => {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = now.clone();
                now
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    detail = nsc_core::OperatorError::detail(&error),
                    "the file of the database URL is not usable at this moment; going on with what it said before"
                );
                self.remembered()
            }
        }
    }

    fn remembered(&self) -> Endpoint {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn options(&self, endpoint: &Endpoint) -> PgConnectOptions {
        let mut options = endpoint.options.clone();
        if !endpoint.has_application_name {
            options = options.application_name(&self.application_name);
        }
        options
            .disable_statement_logging()
            .options([("statement_timeout", self.statement_timeout.as_millis())])
            .options(statements::SETTINGS.iter().copied())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The endpoint holds a password.
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
