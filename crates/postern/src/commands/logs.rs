//! `postern logs`

use serde_json::json;

use crate::cli::LogsArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::{Output, Style, duration_us, escape, thousands};
use crate::wiring::{Schema, existing_tenant, open_storage};

/// Shows a tenant's log and the runs of its Actions.
pub async fn run(config: &Config, args: &LogsArgs) -> Result<(), Failure> {
    let database = ExitCode::Database;
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, args.tenant.as_deref().unwrap_or_default()).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(database, "cannot read")?;
    let logs = tx.logs(args.limit.into()).await.or_exit(database, "cannot read the log")?;
    let executions = tx.executions(args.limit.into()).await.or_exit(database, "cannot read the runs")?;
    drop(tx);
    let output = Output::stdout();
    if args.json {
        let logs: Vec<_> = logs
            .iter()
            .map(|log| {
                json!({
                    "log_id": log.log_id.to_string(), "type": log.code, "date": log.date.to_iso(), "client_id": log.client_id,
                    "user_id": log.user_id, "ip": log.ip, "description": log.description, "details": log.details,
                })
            })
            .collect();
        let executions: Vec<_> = executions
            .iter()
            .map(|stored| {
                let run = &stored.execution;
                json!({
                    "execution_id": run.execution_id, "transaction_id": stored.transaction_id, "action_id": run.action_id, "action_name": run.action_name,
                    "version": run.version, "date": run.created_at.to_iso(), "report": run.report,
                })
            })
            .collect();
        output.json(&json!({ "logs": logs, "executions": executions }));
        return Ok(());
    }
    output.line(output.paint(Style::Bold, "Log"));
    let text = |value: Option<String>| escape(&value.unwrap_or_else(|| "-".to_owned()), false);
    let rows: Vec<_> = logs
        .iter()
        .map(|log| {
            vec![
                log.date.to_iso(),
                output.paint(code_style(&log.code), &log.code),
                text(log.client_id.as_ref().map(ToString::to_string)),
                text(log.user_id.as_ref().map(ToString::to_string)),
                text(log.ip.clone()),
                escape(&log.description, false),
            ]
        })
        .collect();
    output.table(&rows);
    output.line("");
    output.line(output.paint(Style::Bold, "Runs of Actions"));
    let rows: Vec<_> = executions
        .iter()
        .map(|stored| {
            let run = &stored.execution;
            let number = |field: &str| run.report[field].as_u64().unwrap_or(0);
            let commands = run.report["commands"].as_array().map_or(0, Vec::len);
            let outcome = if run.report["error"].is_null() {
                format!("{commands} commands")
            } else {
                output.paint(Style::Red, escape(&format!("failed: {}", run.report["error"]["kind"]), false))
            };
            vec![
                run.created_at.to_iso(),
                format!("{} v{}", escape(&run.action_name, false), run.version),
                format!("{} fuel", thousands(number("fuel"))),
                duration_us(number("elapsed_us")),
                outcome,
            ]
        })
        .collect();
    output.table(&rows);
    Ok(())
}

/// Failures and warnings stand out.
pub fn code_style(code: &str) -> Style {
    match code {
        "w" | "limit_wc" => Style::Yellow,
        "actions_execution_failed" => Style::Red,
        _ if code.starts_with('f') => Style::Red,
        _ => Style::Dim,
    }
}
