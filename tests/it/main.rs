//! The library through its public calls, a module for each subject: `cargo test --test it golden::`
//! runs one.
//!
//! The tests are threads of one process. A test that changes the process (its limits, its current
//! directory, its signals) or measures it needs a program of its own, beside this folder.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod backings;
mod checksums;
mod commit_events;
mod compare_document;
mod conditions;
mod copies;
mod database_damage;
mod database_edges;
mod database_info;
mod deletes;
mod derive;
mod edits;
mod every_method;
mod exchange_arrow;
mod exchange_csv;
mod exchange_export;
mod exchange_guess;
mod exchange_inputs;
mod exchange_matching;
mod exchange_ndjson;
mod exchange_npy;
mod exchange_resume;
mod exchange_round_trips;
mod exchange_rows;
mod exchange_schema;
mod exchange_types;
mod exchange_ways_back;
mod faults;
mod field_types;
#[cfg(feature = "exchange")]
mod foreign;
#[cfg(feature = "exchange")]
mod foreign_changes;
#[cfg(feature = "exchange")]
mod foreign_hostile;
#[cfg(feature = "exchange")]
mod foreign_views;
mod format_document;
mod golden;
mod group_commit;
mod handles;
mod info;
mod long_names;
mod map_conformance;
mod map_files;
mod messages;
mod metadata;
#[cfg(feature = "text")]
mod migrate;
mod modified;
mod number_texts;
mod numpy;
mod open_or_create;
mod owned_failures;
mod owned_transactions;
mod patched_files;
mod readers;
mod readers_beside;
mod side_files;
mod snapshots;
mod store;
mod temporary;
mod tick_store;
mod trace_events;
mod transaction_records;
mod transactions;
mod ways_in;
mod win32_document;
