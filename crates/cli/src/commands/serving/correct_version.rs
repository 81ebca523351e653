//! `nsc correct-version`: what an event of the year 2099 has shut is opened again, by somebody and for a reason.

use clap::{Args, ValueEnum};
use nsc_core::{Clock, ErrorCode, ExitStatus, SystemClock, UtcMicros};
use nsc_store::{AuditRow, Correction, StoredKind, StoredVersion};
use nsc_telemetry::CorrelationId;
use serde_json::{Value, json};

use super::wiring;
use crate::app::App;
use crate::commands::metrics;
use crate::failure::{OperatorMessage, Outcome};

const NAME: &str = "nsc-correct";
/// Longest name of who corrects, and longest reason, characters: what the audit row holds whole.
const WHO_CHARS: usize = 255;
const REASON_CHARS: usize = 1_000;

/// Lower the version of a stored entry or order, so that right events are taken again
#[derive(Debug, Args)]
#[command(after_help = "\
An event with a time or a version that is wrong, and ahead, makes all later ones stale. This sets the version of the stored
row to a lower one, by default below every other; what the row says stays until the next event of it comes, for example by
nsc backfill. Who did it and why stands in bo.admin_audit_logs, committed with the change. DATABASE_URL names a login that
is a member of nsc_consumer and of nsc_api: neither may do it alone.

Examples:
  nsc correct-version ledger-entry tx-20260105-0313 --by kim --reason 'clock of pos-7 was wrong, ticket 812'
  nsc correct-version payment-order PO-7 --updated-at 2026-01-05T00:00:00Z --by kim --reason 'ticket 813'")]
pub(crate) struct CorrectVersionArgs {
    /// What the row is
    #[arg(value_enum)]
    kind: Kind,
    /// Its tx_id or order_id
    id: String,
    /// Its new updated_at; none when not given
    #[arg(long, value_name = "TIME")]
    updated_at: Option<UtcMicros>,
    /// Its new source_version; none when not given
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    source_version: Option<i64>,
    /// Who corrects it
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    LedgerEntry,
    PaymentOrder,
}

impl Kind {
    const fn stored(self) -> StoredKind {
        match self {
            Self::LedgerEntry => StoredKind::LedgerEntry,
            Self::PaymentOrder => StoredKind::PaymentOrder,
        }
    }

    /// As in the audit rows of the API.
    const fn resource(self) -> &'static str {
        match self {
            Self::LedgerEntry => "TX",
            Self::PaymentOrder => "PAYMENT_ORDER",
        }
    }
}

pub(crate) async fn handle(args: CorrectVersionArgs, app: &mut App) -> Outcome<ExitStatus> {
    check(&args)?;
    let metrics = metrics::start(&app.config, NAME)?;
    let store = wiring::store(&app.config, NAME, &metrics)?;
    store.ready().await?;
    let version = StoredVersion {
        updated_at: args.updated_at,
        source_version: args.source_version,
    };
    let now = SystemClock.now();
    let audit = |former| audit_row(&args, former, version, now);
    let made = store
        .correct_version(args.kind.stored(), &args.id, version, now, audit)
        .await?;
    let former = match made {
        Correction::Made(former) => former,
        Correction::NoSuchRow => return Err(no_such_row(&args).into()),
        Correction::NotBelow(stored) => return Err(not_below(&args, stored, version).into()),
    };
    let document = json!({
        "resource_type": args.kind.resource(), "resource_id": args.id,
        "from": document(former), "to": document(version), "by": args.by, "reason": args.reason,
    });
    app.printer.document(&document, || {
        format!(
            "the version of {} was {}, and is {} now; the next event of it is taken\n",
            args.id,
            shown(former),
            shown(version)
        )
    })?;
    Ok(ExitStatus::Ok)
}

fn check(args: &CorrectVersionArgs) -> Result<(), OperatorMessage> {
    for (flag, text, most) in [
        ("--by", &args.by, WHO_CHARS),
        ("--reason", &args.reason, REASON_CHARS),
    ] {
        let text = text.trim();
        // As it stands in the audit row, where a quotation mark takes two and a control character six.
        let chars = json!(text).to_string().chars().count() - 2;
        if text.is_empty() || chars > most {
            return Err(OperatorMessage::usage(format!("{flag} must have 1 to {most} characters"))
                .with_detail(format!(
                    "it has {chars} as JSON, blanks around it not counted: quotation marks and control characters are escaped"
                ))
                .with_hint("It is for whoever reads the audit log."));
        }
    }
    Ok(())
}

fn audit_row(
    args: &CorrectVersionArgs,
    former: StoredVersion,
    version: StoredVersion,
    now: UtcMicros,
) -> AuditRow {
    let said = json!({ "reason": args.reason.trim(), "from": document(former), "to": document(version) });
    AuditRow {
        actor_id: Some(args.by.trim().to_owned()),
        actor_roles: vec!["OPERATOR".to_owned()],
        action: "VERSION_CORRECTION".to_owned(),
        resource_type: Some(args.kind.resource().to_owned()),
        resource_id: Some(args.id.clone()),
        result: "CORRECTED".to_owned(),
        status_code: 200,
        request_method: "CLI".to_owned(),
        request_path: "nsc correct-version".to_owned(),
        request_query: Some(said.to_string()),
        client_ip: None,
        user_agent: Some(concat!("nsc/", env!("CARGO_PKG_VERSION")).to_owned()),
        correlation_id: CorrelationId::fresh().into_string(),
        duration_ms: 0,
        result_count: Some(1),
        requested_at: now,
    }
}

fn document(version: StoredVersion) -> Value {
    json!({
        "updated_at": version.updated_at.map(|t| t.to_string()),
        "source_version": version.source_version,
    })
}

fn shown(version: StoredVersion) -> String {
    match (version.updated_at, version.source_version) {
        (None, None) => "none".to_owned(),
        (Some(time), None) => time.to_string(),
        (None, Some(number)) => format!("version {number}"),
        (Some(time), Some(number)) => format!("{time}, version {number}"),
    }
}

fn no_such_row(args: &CorrectVersionArgs) -> OperatorMessage {
    OperatorMessage::new(
        ErrorCode::VersionNotCorrected,
        format!("{} is not stored", args.id),
    )
    .with_detail(format!("no row of {} has this id", args.kind.resource()))
    .with_hint("Ids are compared exactly; is it the right kind, and the right database?")
}

fn not_below(args: &CorrectVersionArgs, stored: StoredVersion, version: StoredVersion) -> OperatorMessage {
    OperatorMessage::new(
        ErrorCode::VersionNotCorrected,
        format!("the version of {} is not above the new one", args.id),
    )
    .with_detail(format!("stored: {}; new: {}", shown(stored), shown(version)))
    .with_hint(
        "A version is only ever lowered, so that events are taken again. To change the row, send an event.",
    )
}
