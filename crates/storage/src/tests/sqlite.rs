//! The contract on SQLite, and what is SQLite's own.

use sqlx::Row;
use tempfile::TempDir;

use super::contract;
use super::fixtures::{acme, client, client_id, tenant, with_tenants};
use model::Tenant;

use crate::{SchemaState, Storage, StorageError};

pub async fn open() -> (TempDir, Storage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = open_in(&folder).await;
    storage.migrate().await.unwrap();
    (folder, storage)
}

async fn open_in(folder: &TempDir) -> Storage {
    Storage::open(&format!("sqlite:{}/a postern 100%.db", folder.path().display())).await.unwrap()
}

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let (_folder, storage) = open().await;
                contract::$name(&storage).await;
                storage.close().await;
            }
        )*

        mod and_on_postgres {
            use super::super::{contract, postgres};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    let (storage, _) = postgres::open().await;
                    contract::$name(&storage).await;
                    storage.close().await;
                }
            )*
        }
    };
}

contract! {
    every_kind_comes_back_as_it_was_stored,
    another_tenants_rows_are_invisible_and_untouchable,
    clients_are_listed_in_pages_and_filtered,
    client_grants_are_listed_in_pages_and_filtered,
    connections_are_listed_in_pages_and_filtered,
    what_gets_an_effect_is_moved_to_what_a_client_is,
    of_64_concurrent_tasks_one_spends_a_single_use_value,
    a_spend_that_is_not_committed_did_not_happen,
    a_login_under_way_is_for_its_browser_and_its_time,
    a_pushed_request_is_for_its_client_and_its_time,
    a_device_waits_until_it_has_one_answer,
    a_factor_counts_when_the_login_that_began_it_confirms_it,
    a_recovery_code_is_spent_for_the_next_one,
    a_login_that_waits_for_a_factor_is_completed_once_and_in_time,
    a_session_is_updated_while_it_lives_only,
    a_revocation_ends_what_descends_and_nothing_else,
    a_revocation_leaves_the_descendants_where_the_client_wants_it,
    refresh_tokens_are_revoked_by_user_client_and_audience,
    a_refresh_token_rotates_and_ends,
    a_rotation_is_for_a_living_token_in_a_living_session,
    the_oldest_living_refresh_token_gives_way,
    the_end_of_a_session_is_queued_for_each_client_that_wants_to_know,
    a_logout_is_claimed_by_one_at_a_time_until_it_is_finished,
    users_are_found_by_address_or_name_and_are_unique,
    users_are_searched_by_what_they_have,
    users_are_listed_in_an_order_and_by_pages,
    roles_are_listed_by_name_and_their_users_by_id,
    permissions_are_held_by_roles_and_users_and_end_with_their_scope,
    permissions_at_an_api_are_those_that_count_in_the_login,
    the_last_passwords_are_remembered_and_go_with_the_user,
    a_grant_is_what_lives_of_a_users_refresh_tokens,
    concurrent_hits_are_all_counted,
    a_deployment_makes_the_next_version_and_keeps_its_place,
    what_an_older_version_deployed_is_what_there_is_to_work_on,
    a_module_is_pinned_and_its_secrets_come_with_the_binding,
    runs_are_found_by_their_execution_and_in_their_order,
    a_signing_key_goes_through_its_life,
    the_log_is_read_newest_first,
    an_entry_comes_back_with_all_that_it_had,
    the_log_is_searched_by_time,
    whoever_follows_the_log_gets_each_entry_once,
    a_stream_is_sent_by_one_until_its_lease_ends,
    a_tenants_settings_are_replaced,
    what_a_tenant_sets_up_makes_a_new_version_and_what_its_users_do_does_not,
    a_code_is_found_with_its_user_and_its_living_session,
    reading_cannot_write,
    a_sweep_removes_what_nothing_needs_and_nothing_else,
    refresh_tokens_of_a_version_before_over_by_are_removed_at_their_end,
    an_exchange_that_moves_the_end_moves_the_removal,
    sweeps_at_the_same_time_remove_each_row_once,
    rows_that_must_stay_are_looked_at_once_in_a_sweep,
    housekeeping_reads_by_index,
    an_artifact_that_nothing_needs_goes_a_day_later,
    an_artifact_that_is_stored_again_while_it_is_removed_is_there,
}

#[tokio::test]
async fn reopening_keeps_everything_and_migrating_twice_is_harmless() {
    let (folder, storage) = open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    contract::fill(&mut tx).await;
    tx.commit().await.unwrap();
    storage.close().await;

    let storage = open_in(&folder).await;
    storage.migrate().await.unwrap();
    storage.migrate().await.unwrap();
    let settings_version = storage.tenant(&acme()).await.unwrap().unwrap().settings_version;
    let expected = Tenant { settings_version, ..tenant(&acme()) };
    assert_eq!(storage.tenant(&acme()).await.unwrap(), Some(expected));
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    contract::check_all(&mut tx).await;
}

#[tokio::test]
async fn the_schema_is_behind_then_current_then_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open_in(&folder).await;
    assert!(matches!(storage.check_schema().await.unwrap(), SchemaState::Behind { pending: 1.. }));
    storage.migrate().await.unwrap();
    assert_eq!(storage.check_schema().await.unwrap(), SchemaState::Current);
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', 1, x'00', 0)",
    )
    .execute(&storage.writer)
    .await
    .unwrap();
    assert_eq!(storage.check_schema().await.unwrap(), SchemaState::Ahead);
    assert!(storage.migrate().await.is_err());
}

#[tokio::test]
async fn connections_are_set_up_so_that_what_is_committed_survives() {
    let (_folder, storage) = open().await;
    for (pool, pragma, expected) in [
        (&storage.writer, "PRAGMA synchronous", "2"),
        (&storage.writer, "PRAGMA foreign_keys", "1"),
        (&storage.reader, "PRAGMA query_only", "1"),
        (&storage.reader, "PRAGMA busy_timeout", "10000"),
    ] {
        let row = sqlx::query(pragma).fetch_one(pool).await.unwrap();
        assert_eq!(row.get::<i64, _>(0).to_string(), expected, "{pragma}");
    }
    let row = sqlx::query("PRAGMA journal_mode").fetch_one(&storage.reader).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "wal");
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer_and_see_one_moment() {
    let (_folder, storage) = open().await;
    with_tenants(&storage).await;
    let mut writer = storage.begin(&acme()).await.unwrap();
    let mut reader = storage.begin_read(&acme()).await.unwrap();
    writer.put_client(&client()).await.unwrap();
    assert_eq!(reader.client(&client_id()).await.unwrap(), None);
    writer.commit().await.unwrap();
    assert_eq!(reader.client(&client_id()).await.unwrap(), None);
    let mut reader = storage.begin_read(&acme()).await.unwrap();
    assert_eq!(reader.client(&client_id()).await.unwrap(), Some(client()));
}

#[tokio::test]
async fn an_impossible_row_is_named() {
    let (_folder, storage) = open().await;
    with_tenants(&storage).await;
    sqlx::query("INSERT INTO clients (tenant_id, id, data) VALUES ('acme', 'native', '{')")
        .execute(&storage.writer)
        .await
        .unwrap();
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    let error = tx.client(&client_id()).await.unwrap_err();
    assert!(
        matches!(&error, StorageError::Row { table: "clients", column: "data", id, .. } if id == "native")
    );
    assert!(error.to_string().starts_with("table clients, column data, row \"native\": "), "{error}");
}

#[tokio::test]
async fn a_tenant_that_is_not_there_has_no_rows() {
    let (_folder, storage) = open().await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.put_client(&client()).await.is_err());
}

#[tokio::test]
async fn other_urls_are_refused() {
    for url in
        ["", "sqlite:", "sqlite::memory:", "sqlite://:memory:", "mysql://x/y", "sqlite:a.db?mode=memory"]
    {
        assert!(matches!(Storage::open(url).await, Err(StorageError::Url)), "{url}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let (folder, storage) = open().await;
    with_tenants(&storage).await;
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
        files += 1;
    }
    assert_eq!(files, 3, "the database, its journal and the journal's index");
}
