//! Priority and weight.

use std::fmt;

use crate::read::Table;

macro_rules! rank {
    ($(#[$doc:meta])* $name:ident, $key:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u8);

        impl $name {
            /// `None` unless 1 to 100.
            pub fn new(value: i64) -> Option<Self> {
                (1..=100).contains(&value).then_some(value).and_then(|value| u8::try_from(value).ok()).map(Self)
            }

            pub(crate) fn read(table: &Table<'_>) -> Self {
                table.get($key).and_then(|item| Self::new(item.integer(1, 100)?)).unwrap_or_default()
            }

            /// 1 to 100.
            pub fn value(self) -> u8 {
                self.0
            }
        }

        impl Default for $name {
            /// 1.
            fn default() -> Self {
                Self(1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

rank! {
    /// The order in which alternatives are tried: 1 to 100, lowest first.
    Priority, "priority"
}
rank! {
    /// The share among alternatives of one priority: 1 to 100.
    Weight, "weight"
}
