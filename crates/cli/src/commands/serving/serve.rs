//! `nsc serve api`: the admin API, until told to stop.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use nsc_api::{Api, ApiOptions, AuthOptions, ClaimPath, KeyLocation, OidcOptions, TlsOptions};
use nsc_core::{ExitStatus, SystemClock};
use nsc_store::Store;

use super::wiring;
use crate::app::App;
use crate::commands::metrics;
use crate::config::serving::{AuthConfig, AuthMode, RoleClaim};
use crate::config::{Config, Flags, Setting, keys};
use crate::failure::{Failure, OperatorMessage, Outcome};

const NAME: &str = "nsc-api";
/// How long the start waits for a database that does not answer.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Serve the admin API
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  AUTH_MODE=disabled nsc serve api")]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    command: ServeCommand,
}

#[derive(Debug, Subcommand)]
enum ServeCommand {
    /// The admin API: transactions, payment orders, wallets
    Api(ApiArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Runs until SIGTERM or Ctrl-C: then it answers the requests under way and stops. DATABASE_URL names a member of
nsc_api. Authentication is AUTH_MODE=oidc with OIDC_ISSUER and OIDC_AUDIENCE; on a developer's machine AUTH_MODE=disabled.

Examples:
  AUTH_MODE=disabled nsc serve api
  OIDC_ISSUER=https://login.microsoftonline.com/TENANT/v2.0 OIDC_AUDIENCE=api://nsc nsc serve api --listen 0.0.0.0:8443
  curl -s http://127.0.0.1:8080/admin/tx/tx-20260105-0313")]
struct ApiArgs {
    /// Address [env: NSC_API_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

impl ServeArgs {
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        let ServeCommand::Api(args) = &self.command;
        flags.set(&keys::API_LISTEN, args.listen.as_ref());
    }
}

pub(crate) async fn handle(_: ServeArgs, app: &mut App) -> Outcome<ExitStatus> {
    let config = &app.config;
    wiring::say_that_it_starts(NAME, config);
    let options = options(config)?;
    let metrics = metrics::start(config, NAME)?;
    let store = wiring::store(config, NAME, &metrics)?;
    refuse_faults_of_the_set_up(&store).await?;
    let api = Api::new(options, store, metrics.clone(), Arc::new(SystemClock))?;
    let address = &config.serving.api.listen;
    let listener = TcpListener::bind(address.value).map_err(|e| wiring::unusable_address(address, &e))?;
    let served = api.serve(listener, wiring::shutdown()?).await;
    // The collector's last report may block.
    let flushed = tokio::task::spawn_blocking(move || metrics.shutdown()).await;
    served?;
    flushed.map_err(|e| Failure::unexpected("sending the last metrics", e))?;
    Ok(ExitStatus::Ok)
}

/// A database that is away is waited for by whoever asks `/readyz`. One that can never answer is told at once.
async fn refuse_faults_of_the_set_up(store: &Store) -> Outcome<()> {
    match tokio::time::timeout(FIRST_LOOK, store.ready()).await {
        Ok(Err(error)) if error.is_fault_of_set_up() => Err(error.into()),
        _ => Ok(()),
    }
}

/// How the API tells who asks, in words; an error where it would refuse to start, or could judge no token.
pub(crate) async fn who_is_let_in(config: &Config) -> Outcome<String> {
    let options = options(config)?;
    let said = match &options.auth {
        AuthOptions::Disabled { .. } => "authentication is disabled".to_owned(),
        AuthOptions::Oidc(oidc) => format!("tokens of {}", oidc.issuer),
    };
    let services = wiring::services(config, NAME)?;
    let api = Api::new(options, services.store, services.metrics, services.clock)?;
    Ok(match api.ask_issuer().await? {
        Some(keys) => format!("{said}, which publishes {keys} keys that can be used"),
        None => said,
    })
}

fn options(config: &Config) -> Outcome<ApiOptions> {
    let (api, auth) = (&config.serving.api, &config.serving.auth);
    let mut options = ApiOptions::new(config.environment.value.name(), authentication(auth));
    if let Some(networks) = &api.trusted_proxies {
        options.trusted_proxies = networks.value.list.iter().copied().collect();
    }
    options.tls = match (&api.tls_cert, &api.tls_key) {
        (Some(cert), Some(key)) => Some(tls(cert, key)),
        (None, None) => None,
        _ => {
            return Err(
                OperatorMessage::configuration("api.tls_cert and api.tls_key belong together")
                    .with_detail("one of them is not set")
                    .into(),
            );
        }
    };
    Ok(options)
}

fn claim_path(claim: &RoleClaim) -> ClaimPath {
    match claim {
        RoleClaim::Named(name) => ClaimPath::Named(name.clone()),
        RoleClaim::Path(names) => ClaimPath::Names(names.clone()),
    }
}

fn tls(cert: &Setting<PathBuf>, key: &Setting<PathBuf>) -> TlsOptions {
    TlsOptions::new(cert.value.clone(), key.value.clone())
}

fn authentication(auth: &AuthConfig) -> AuthOptions {
    if auth.mode.value == AuthMode::Disabled {
        return AuthOptions::Disabled {
            on_any_address: auth.disabled_on_any_address.value,
        };
    }
    let text =
        |setting: &Option<Setting<String>>| setting.as_ref().map(|s| s.value.clone()).unwrap_or_default();
    let audiences = text(&auth.audience)
        .split(',')
        .map(|a| a.trim().to_owned())
        .collect();
    let mut oidc = OidcOptions::new(text(&auth.issuer), audiences);
    oidc.roles_claims = auth.roles_claim.value.list.iter().map(claim_path).collect();
    if let Some(url) = &auth.jwks_url {
        oidc.keys = KeyLocation::Jwks(url.value.clone());
    }
    AuthOptions::Oidc(oidc)
}
