//! The settings that count for a [`Store`] or a [`WindowedStore`] only.

use super::handle::Store;
use super::windowed::WindowedStore;
use crate::array::{Reading, WriteBack};
use crate::format::{Record, Schema};
use crate::os::Advice;
use crate::txn::{CreateOptions, OpenOptions, ReadOptions, Row};

/// Settings of all stores that write.
macro_rules! store_settings {
    ($options:ident, $handle:ident) => {
        impl<R: Row + ?Sized> $options<$handle<R>> {
            /// How records are written back: for tests and benchmarks, and no part of the public
            /// API. [`WriteBack::Auto`] is the fastest.
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynStore::read_options().write_back(flatrec::WriteBack::Mapped);
            /// ```
            #[doc(hidden)]
            pub fn write_back(mut self, write_back: WriteBack) -> Self {
                self.common.write_back = write_back;
                self
            }
        }
    };
}

/// Settings of opening to write.
macro_rules! writing_settings {
    ($handle:ident) => {
        impl<R: Row + ?Sized> OpenOptions<$handle<R>> {
            /// Whether to open the store for writing also on a network file system; `false` by
            /// default. Safe only if a single machine has the file open. Reading needs no
            /// permission.
            ///
            /// ```
            /// let options = flatrec::DynStore::options().allow_network_file_system(true);
            /// ```
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynStore::read_options().allow_network_file_system(true);
            /// ```
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynWindowedStore::read_options().allow_network_file_system(true);
            /// ```
            pub fn allow_network_file_system(mut self, allow: bool) -> Self {
                self.common.allow_network = allow;
                self
            }
        }
    };
}

/// Settings of stores that are mapped whole.
macro_rules! whole_settings {
    ($options:ident) => {
        impl<R: Row + ?Sized> $options<Store<R>> {
            /// Tells the operating system how the mapped file will be read:
            /// [`Advice::Random`] if single records alone are read, [`Advice::Sequential`] if all
            /// are read in order. By default a file that is larger than the memory for it is mapped
            /// twice, for single records and for records in order, each with the advice that suits
            /// it ([`StoreInfo::point_view`](crate::StoreInfo::point_view)).
            ///
            /// ```
            /// use flatrec::{Advice, DynStore};
            /// let opening = DynStore::options().advice(Advice::Random);
            /// let reading = DynStore::read_options().advice(Advice::Random);
            /// let creating = DynStore::create_options().advice(Advice::Sequential);
            /// ```
            ///
            /// A database and a windowed store have no such setting:
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynDatabase::options().advice(flatrec::Advice::Random);
            /// ```
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynWindowedStore::options().advice(flatrec::Advice::Random);
            /// ```
            pub fn advice(mut self, advice: Advice) -> Self {
                self.common.advice = Some(advice);
                self
            }
        }
    };
}

/// Settings of stores that are mapped by windows.
macro_rules! window_settings {
    ($options:ident) => {
        impl<R: Row + ?Sized> $options<WindowedStore<R>> {
            /// How many bytes the store maps for reading at most: 256 MiB by default. It maps one
            /// more window for writing.
            ///
            /// ```
            /// use flatrec::DynWindowedStore;
            /// let options =
            ///     DynWindowedStore::options().max_mapped_bytes(8 << 20).window_bytes(64 << 10);
            /// ```
            ///
            /// A [`Store`] maps the whole file, and has no such setting:
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynStore::options().max_mapped_bytes(8 << 20);
            /// ```
            pub fn max_mapped_bytes(mut self, max_mapped_bytes: u64) -> Self {
                if let Reading::Windowed { budget_bytes, .. } = &mut self.common.reading {
                    *budget_bytes = max_mapped_bytes;
                }
                self
            }

            /// About how many bytes one window maps: 1 MiB by default. A larger window makes fewer
            /// system calls for reads in order; smaller windows let reads all over the file find
            /// more of them mapped.
            ///
            /// ```
            /// use flatrec::DynWindowedStore;
            /// let options = DynWindowedStore::options().window_bytes(64 << 10);
            /// ```
            ///
            /// A [`Store`] maps the whole file, and has no such setting:
            ///
            /// ```compile_fail,E0599
            /// flatrec::DynStore::create_options().window_bytes(64 << 10);
            /// ```
            pub fn window_bytes(mut self, bytes: u64) -> Self {
                if let Reading::Windowed { window_bytes, .. } = &mut self.common.reading {
                    *window_bytes = bytes;
                }
                self
            }
        }
    };
}

/// Settings of creating stores of a Rust type.
macro_rules! typed_settings {
    ($handle:ident) => {
        impl<R: Record> CreateOptions<$handle<R>> {
            /// The schema of the file, for a type without field names
            /// ([`PodRecord`](crate::PodRecord)), which otherwise has one field of bytes. It must
            /// have the size of the record. Records of bytes have their schema as a parameter of
            /// the function that creates the store.
            ///
            /// ```
            /// use flatrec::{DataType, Field, PodRecord, Schema, Store};
            /// let schema = Schema::packed([Field::new("x", DataType::Binary(8))])?;
            /// let options = Store::<PodRecord<[u8; 8]>>::create_options().schema(schema.clone());
            /// assert_eq!(options.temporary()?.schema(), &schema);
            /// # Ok::<(), flatrec::Error>(())
            /// ```
            ///
            /// ```compile_fail,E0599
            /// # use flatrec::{DataType, Field, Schema};
            /// # let schema = Schema::packed([Field::new("x", DataType::Binary(8))]).unwrap();
            /// flatrec::DynStore::create_options().schema(schema);
            /// ```
            pub fn schema(mut self, schema: Schema) -> Self {
                self.schema = Some(schema);
                self
            }
        }
    };
}

store_settings!(OpenOptions, Store);
store_settings!(OpenOptions, WindowedStore);
store_settings!(CreateOptions, Store);
store_settings!(CreateOptions, WindowedStore);
writing_settings!(Store);
writing_settings!(WindowedStore);
whole_settings!(OpenOptions);
whole_settings!(ReadOptions);
whole_settings!(CreateOptions);
window_settings!(OpenOptions);
window_settings!(ReadOptions);
window_settings!(CreateOptions);
typed_settings!(Store);
typed_settings!(WindowedStore);
