use std::{fmt, path::Path};

use swift_types::HashPath;

use crate::{
    SettingsError, StoragePolicy,
    dialect::{ConfigParser, Dialect},
    error::ValueError,
    policies::{self, Invalid},
};

const HASH_SECTION: &str = "swift-hash";

/// What the cluster shares: the hash salt and the storage policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwiftConf {
    /// The salt of every name's hash, a secret: never printed.
    pub hash_path: HashPath,
    /// The storage policies in the order of the file, at least policy 0.
    pub policies: Vec<StoragePolicy>,
}

impl SwiftConf {
    /// Reads a swift.conf. Blocks on reading; writes nothing.
    ///
    /// Stock: `validate_hash_conf` and `reload_storage_policies`, which read `/etc/swift/swift.conf`
    /// whatever `swift_dir` says.
    ///
    /// # Errors
    /// [`SettingsError`]: the file cannot be read or parsed, gives no salt, or its policies break Swift's
    /// rules.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let hash_path = hash_path(path)?;
        let conf = ConfigParser::from_file(path, Dialect::StoragePolicies)?;
        let policies = policies::parse(&conf).map_err(|invalid| match invalid {
            Invalid::Value(error) => error,
            Invalid::Policies(problem) => SettingsError::Policies { path: path.to_owned(), problem },
        })?;
        Ok(Self { hash_path, policies })
    }

    /// The indexes of the storage policies. More than one means that containers' `sync` has ten arguments.
    pub fn policy_indexes(&self) -> Vec<u32> {
        self.policies.iter().map(|policy| policy.index).collect()
    }

    /// The policy of containers that do not ask for one.
    pub fn default_policy(&self) -> &StoragePolicy {
        let default = self.policies.iter().find(|policy| policy.is_default);
        default.or(self.policies.first()).expect("policies are never empty: load adds policy 0")
    }
}

fn hash_path(path: &Path) -> Result<HashPath, SettingsError> {
    let conf = ConfigParser::from_file(path, Dialect::SwiftHash)?;
    let salt = |key| salt(&conf, key);
    HashPath::new(salt("swift_hash_path_prefix")?, salt("swift_hash_path_suffix")?)
        .map_err(|_| SettingsError::NoHashPath { path: path.to_owned() })
}

/// The bytes of a salt; latin-1 gave every byte a character and takes it back here.
fn salt(conf: &ConfigParser, key: &str) -> Result<Vec<u8>, SettingsError> {
    let entry = conf.get(HASH_SECTION, key).transpose().map_err(hide)?;
    let text = entry.map(|entry| entry.value).unwrap_or_default();
    Ok(text.chars().filter_map(|character| u8::try_from(character).ok()).collect())
}

/// Takes the secret out of a refusal.
fn hide(error: SettingsError) -> SettingsError {
    match error {
        SettingsError::Value(error) => SettingsError::Value(Box::new(ValueError {
            origin: error.origin,
            value: "(hidden)".to_owned(),
            problem: "holds a % that is neither %% nor a %(name)s that can be resolved, as stock's parser \
                      demands: write %% for a plain percent sign"
                .to_owned(),
        })),
        other => other,
    }
}

impl fmt::Display for SwiftConf {
    /// The policies, and that there is a salt, as conf text; the salt itself is never printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[{HASH_SECTION}]\n# prefix and suffix are set and not shown")?;
        for policy in &self.policies {
            writeln!(f, "[storage-policy:{}]\nname = {}", policy.index, policy.names[0])?;
            if policy.names.len() > 1 {
                writeln!(f, "aliases = {}", policy.names[1..].join(", "))?;
            }
            writeln!(f, "default = {}\ndeprecated = {}", policy.is_default, policy.is_deprecated)?;
        }
        Ok(())
    }
}
