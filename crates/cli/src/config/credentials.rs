//! User and password inside a URL. URLs are shown, logged and copied; secrets have settings of their own.

use url::Url;

use super::keys::{self, Key};
use super::serving::ServingConfig;
use super::{Config, Origin};
use crate::failure::OperatorMessage;

/// Refuses the lakehouse's root when it names a user, and with it perhaps a password.
pub(super) fn refuse_root(config: &Config) -> Result<(), OperatorMessage> {
    let root = &config.lake.root;
    // A local path may hold any character.
    let is_url = root.value.contains("://");
    if is_url && stand_in(&root.value) {
        return Err(refusal(&keys::ROOT, &root.origin));
    }
    Ok(())
}

/// Refuses the configuration of serving when one of its addresses names a user.
pub(super) fn refuse(serving: &ServingConfig) -> Result<(), OperatorMessage> {
    let (kafka, auth) = (&serving.kafka, &serving.auth);
    let addresses = [
        (&keys::KAFKA_BROKERS, Some(&kafka.brokers)),
        (&keys::KAFKA_OAUTH_URL, kafka.oauth_token_url.as_ref()),
        (&keys::OIDC_ISSUER, auth.issuer.as_ref()),
        (&keys::OIDC_JWKS_URL, auth.jwks_url.as_ref()),
        (&keys::OTLP_ENDPOINT, serving.otlp_endpoint.as_ref()),
    ];
    for (key, setting) in addresses {
        if let Some(setting) = setting
            && stand_in(&setting.value)
        {
            return Err(refusal(key, &setting.origin));
        }
    }
    Ok(())
}

/// Whether credentials stand in an address, as far as can be told: what is no URL and has an `@` may be taken for one
/// by somebody else.
pub(super) fn stand_in(address: &str) -> bool {
    if !address.contains('@') {
        return false;
    }
    match Url::parse(address) {
        // `abfss://container@account...`: the container stands where a user would.
        Ok(url) if matches!(url.scheme(), "abfs" | "abfss") => url.password().is_some(),
        Ok(url) => url.cannot_be_a_base() || !url.username().is_empty() || url.password().is_some(),
        Err(_) => true,
    }
}

/// Quotes nothing of the address.
fn refusal(key: &Key, origin: &Origin) -> OperatorMessage {
    OperatorMessage::configuration(format!("{} ({origin}) is not usable", key.name))
        .with_detail("it names a user or a password before an @, and addresses are shown and logged")
        .with_hint(format!("Take them out of the address. {}", remedy(key)))
}

/// Where such a secret belongs.
fn remedy(key: &Key) -> &'static str {
    match key.name {
        "lake.root" => "Credentials of the object store are given as NSC_STORAGE_NAME.",
        "kafka.brokers" => "The user is KAFKA_USERNAME, the password KAFKA_PASSWORD or KAFKA_PASSWORD_FILE.",
        "kafka.oauth_token_url" => {
            "The client is KAFKA_OAUTH_CLIENT_ID, its secret KAFKA_OAUTH_CLIENT_SECRET or KAFKA_OAUTH_CLIENT_SECRET_FILE."
        }
        "telemetry.otlp_endpoint" => {
            "A collector's key is given in the environment as OTEL_EXPORTER_OTLP_HEADERS."
        }
        _ => "What an issuer publishes is read without any.",
    }
}

#[cfg(test)]
mod tests {
    use super::stand_in;

    #[test]
    fn whatever_may_hold_a_password_is_found() {
        for address in [
            "https://user:s3cret@collector:4318",
            "https://token@collector/path",
            "https://:s3cret@collector",
            "https:user:s3cret@collector",
            "https:\\\\user:s3cret@collector",
            "\thttps://user:s3cret@collector",
            "https://user:s3/cret@collector",
            "https://user:s3cret@bad host/",
            "user:s3cret@collector:4318",
            "broker:9092,user:s3cret@broker:9092",
            "abfss://lake:s3cret@account.dfs.core.windows.net/x",
        ] {
            assert!(stand_in(address), "{address}");
        }
    }

    #[test]
    fn an_address_without_a_user_is_left_alone() {
        for address in [
            "https://login.example/tenant/v2.0",
            "https://login.example/@tenant/keys?to=a@b",
            "http://127.0.0.1:4318",
            "one:9093,two:9093",
            "collector",
            "abfss://lake@account.dfs.core.windows.net/x",
        ] {
            assert!(!stand_in(address), "{address}");
        }
    }
}
