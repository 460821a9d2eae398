use std::fmt;

macro_rules! rank {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u8);

        impl $name {
            /// `None` unless 1 to 100.
            pub fn new(value: i64) -> Option<Self> {
                (1..=100).contains(&value).then_some(value).and_then(|value| u8::try_from(value).ok()).map(Self)
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
    Priority
}
rank! {
    /// The share among alternatives of one priority: 1 to 100.
    Weight
}
