//! The settings that count for a [`Database`] only.

use super::database::Database;
use crate::format::{Record, Schema};
use crate::txn::{CreateOptions, OpenOptions, Row};

/// Settings of the log, which only a database writes.
macro_rules! log_settings {
    ($options:ident) => {
        impl<R: Row + ?Sized> $options<Database<R>> {
            /// How large the log grows, in bytes, before a commit makes a checkpoint. The default
            /// is 16 MiB. A smaller log makes recovery shorter; a larger one saves writes if the
            /// same records change again and again. If a transaction appends more than 1 MiB, the
            /// appended records are not logged, and count towards this size all the same, because
            /// the checkpoint updates header and checksums for them.
            ///
            /// ```
            /// let opening = flatrec::DynDatabase::options().checkpoint_at(1 << 20);
            /// let creating = flatrec::DynDatabase::create_options().checkpoint_at(1 << 20);
            /// ```
            ///
            /// A store and a handle that only reads make no checkpoints, and have no such setting:
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynStore::options().checkpoint_at(1 << 20);
            /// ```
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynReadOnlyDatabase::options().checkpoint_at(1 << 20);
            /// ```
            pub fn checkpoint_at(mut self, log_bytes: u64) -> Self {
                self.common.checkpoint_bytes = log_bytes;
                self
            }

            /// How large the log may grow, in bytes, while a reader holds checkpoints back, or
            /// checkpoints fail. At this size commits fail: with
            /// [`ErrorKind::LogFull`](crate::ErrorKind::LogFull), which names the reader, or with
            /// the error of the checkpoint. By default the log grows as far as the disk allows,
            /// and [`Database::checkpoint_failure`] tells why checkpoints fail.
            ///
            /// ```
            /// let options = flatrec::DynDatabase::options().max_log(1 << 30);
            /// ```
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynStore::create_options().max_log(1 << 30); // a store has no log
            /// ```
            pub fn max_log(mut self, log_bytes: u64) -> Self {
                self.common.max_log_bytes = Some(log_bytes);
                self
            }
        }
    };
}

log_settings!(OpenOptions);
log_settings!(CreateOptions);

impl<R: Row + ?Sized> OpenOptions<Database<R>> {
    /// Whether to open the store also on a network file system; `false` by default. Safe only if a
    /// single machine has the file open.
    ///
    /// ```
    /// let options = flatrec::DynDatabase::options().allow_network_file_system(true);
    /// ```
    ///
    /// A handle that only reads opens the store there without it, and has no such setting:
    ///
    /// ```compile_fail,E0599
    /// flatrec::DynReadOnlyDatabase::options().allow_network_file_system(true);
    /// ```
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.common.allow_network = allow;
        self
    }
}

impl<R: Record> CreateOptions<Database<R>> {
    /// The schema of the file, for a type without field names ([`PodRecord`](crate::PodRecord)),
    /// which otherwise has one field of bytes. It must have the size of the record. Records of
    /// bytes have their schema as a parameter of the function that creates the store.
    ///
    /// ```
    /// use flatrec::{DataType, Database, Field, PodRecord, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("x", DataType::Binary(8))])?;
    /// let options = Database::<PodRecord<[u8; 8]>>::create_options().schema(schema.clone());
    /// let database = options.create(directory.path().join("x.rec"))?;
    /// assert_eq!(database.schema(), &schema);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```compile_fail,E0599
    /// # use flatrec::{DataType, Field, Schema};
    /// # let schema = Schema::packed([Field::new("x", DataType::Binary(8))]).unwrap();
    /// flatrec::DynDatabase::create_options().schema(schema);
    /// ```
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }
}
