//! How the statements of a file are written down.

/// Names the statements of a file, and lists them for the test that looks at the plan of each.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* const $name: &str = $sql;)+

        /// All statements of this file that are named.
        #[cfg(test)]
        pub(in crate::services::sql::sqlite) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $sql)),+];
    };
}
