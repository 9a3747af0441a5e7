//! The storage policies of swift.conf. Answers to `swift.common.storage_policy`.

use std::collections::HashMap;

use crate::{
    dialect::{ConfigParser, Options},
    python,
};

const SECTION_PREFIX: &str = "storage-policy:";
const LEGACY_NAME: &str = "Policy-0";
const COMMON_OPTIONS: [&str; 6] =
    ["name", "aliases", "policy_type", "default", "deprecated", "diskfile_module"];
const EC_OPTIONS: [&str; 5] = [
    "ec_type",
    "ec_object_segment_size",
    "ec_num_data_fragments",
    "ec_num_parity_fragments",
    "ec_duplication_factor",
];

/// One storage policy, as far as containers care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoragePolicy {
    /// The number in container databases and on the wire.
    pub index: u32,
    /// The name and its aliases, at least one.
    pub names: Vec<String>,
    /// Whether containers without a wish get this policy; true for exactly one.
    pub is_default: bool,
    /// Whether new containers may not have it.
    pub is_deprecated: bool,
}

/// Reads every `[storage-policy:N]`; without any there is one policy 0.
///
/// A refusal says what is wrong, with the section. Stock: `parse_storage_policies`. Of an erasure code
/// only the numbers are checked, not whether a library for its `ec_type` is installed.
pub(crate) fn parse(conf: &ConfigParser) -> Result<Vec<StoragePolicy>, Invalid> {
    let mut policies = Vec::new();
    for section in conf.sections().filter(|section| section.starts_with(SECTION_PREFIX)) {
        let options = conf.items(section).unwrap_or_else(|| Ok(Options::new())).map_err(Invalid::Value)?;
        let refuse = |problem: String| Invalid::Policies(format!("[{section}]: {problem}"));
        policies.push(policy(&section[SECTION_PREFIX.len()..], &options).map_err(refuse)?);
    }
    together(policies).map_err(Invalid::Policies)
}

/// Why there are no policies.
pub(crate) enum Invalid {
    /// A value cannot be interpolated.
    Value(crate::SettingsError),
    /// The policies break Swift's rules.
    Policies(String),
}

fn policy(index: &str, options: &Options) -> Result<StoragePolicy, String> {
    let get = |key: &str| options.get(key).map(|entry| entry.value.as_str());
    let is_ec = match get("policy_type") {
        None | Some("replication") => false,
        Some("erasure_coding") => true,
        Some(other) => return Err(format!("policy_type is {other:?}: write replication or erasure_coding")),
    };
    let is_known = |key: &str| COMMON_OPTIONS.contains(&key) || is_ec && EC_OPTIONS.contains(&key);
    if let Some((key, entry)) = options.iter().find(|(key, _)| !is_known(key)) {
        return Err(format!("{key} is no option of such a policy (line {}): remove it", entry.origin.line));
    }
    let bad_index = || format!("{index:?} is no policy index: write an integer from 0 on");
    let index = python::int(index).and_then(|index| u32::try_from(index).ok()).ok_or_else(bad_index)?;
    let names = names(index, get("name").unwrap_or_default(), get("aliases").unwrap_or_default())?;
    let is_true = |key| get(key).is_some_and(python::true_value);
    let policy =
        StoragePolicy { index, names, is_default: is_true("default"), is_deprecated: is_true("deprecated") };
    if policy.is_deprecated && policy.is_default {
        return Err("a deprecated policy cannot be the default: remove one of the two options".into());
    }
    if is_ec {
        erasure_code(&get)?;
    }
    Ok(policy)
}

fn names(index: u32, name: &str, aliases: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    let aliases = aliases.split(',').map(python::strip).filter(|alias| !alias.is_empty() && *alias != name);
    for name in [name].into_iter().chain(aliases) {
        if name.is_empty() {
            return Err("the policy has no name: add name = …".into());
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(format!("{name:?} is no policy name: use letters, digits and - only"));
        }
        if index != 0 && name.eq_ignore_ascii_case(LEGACY_NAME) {
            return Err(format!("{name:?} is reserved for policy 0: use another name"));
        }
        if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(format!("the name {name:?} is given twice: remove one"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn erasure_code<'a>(get: &impl Fn(&'static str) -> Option<&'a str>) -> Result<(), String> {
    let ec_type = get("ec_type").ok_or("ec_type is missing: name the erasure code")?;
    let positive = |key: &'static str, default: Option<&'a str>| {
        let text =
            get(key).or(default).ok_or_else(|| format!("{key} is missing: write an integer from 1 on"))?;
        let number = python::int(text).filter(|&number| number > 0);
        number.ok_or_else(|| format!("{key} is {text:?}: write an integer from 1 on"))
    };
    positive("ec_num_data_fragments", None)?;
    let parity = positive("ec_num_parity_fragments", None)?;
    positive("ec_object_segment_size", Some("1"))?;
    positive("ec_duplication_factor", Some("1"))?;
    // Stock looks at the text of `deprecated` here, not at its meaning.
    if ec_type == "isa_l_rs_vand" && parity >= 5 && get("deprecated").unwrap_or_default().is_empty() {
        return Err("isa_l_rs_vand with 5 or more parity fragments loses data: add deprecated = yes".into());
    }
    Ok(())
}

/// The rules that span policies. Stock: `StoragePolicyCollection`.
fn together(mut policies: Vec<StoragePolicy>) -> Result<Vec<StoragePolicy>, String> {
    let mut by_name = HashMap::new();
    let mut indexes = HashMap::new();
    for policy in &policies {
        if indexes.insert(policy.index, &policy.names[0]).is_some() {
            return Err(format!("there are two policies of index {}: remove one", policy.index));
        }
        for name in &policy.names {
            if let Some(other) = by_name.insert(name.to_uppercase(), policy.index) {
                return Err(format!(
                    "policies {other} and {} are both named {name:?}: rename one",
                    policy.index
                ));
            }
        }
    }
    if policies.is_empty() {
        policies.push(StoragePolicy {
            index: 0,
            names: vec![LEGACY_NAME.to_owned()],
            is_default: true,
            is_deprecated: false,
        });
    }
    if policies.iter().all(|policy| policy.index != 0) {
        return Err("there is no policy 0: add a section [storage-policy:0]".into());
    }
    if policies.iter().all(|policy| policy.is_deprecated) {
        return Err("every policy is deprecated: remove deprecated from one".into());
    }
    let alone = policies.len() == 1;
    match policies.iter().filter(|policy| policy.is_default).count() {
        0 if alone => policies[0].is_default = true,
        0 => return Err("no policy is the default: add default = yes to one".into()),
        1 => (),
        _ => return Err("several policies are the default: leave default = yes with one".into()),
    }
    Ok(policies)
}
