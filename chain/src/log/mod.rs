//! The log: one file per C2SP document.
/// stub
pub mod policy {
    /// p
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Policy(String);
    impl Policy {
        /// p
        pub fn parse(t: &str) -> Result<Self, ()> {
            Ok(Self(t.into()))
        }
    }
    impl std::fmt::Display for Policy {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.0)
        }
    }
}
