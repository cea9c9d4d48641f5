//! The table `[plugins]`: ceilings of every plugin, and what single ones are told and granted. Refuses to look at plugins.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::document::Wrong;
use super::keys;
use super::load::Loader;
use super::{Capability, Plugins};

/// As many plugins as a folder may hold.
const GRANTS: usize = 1_000;
/// Longest name of a plugin.
const NAME_BYTES: usize = 64;

impl Loader<'_> {
    pub(super) fn plugins(&mut self) -> Plugins {
        let settings = self.plugin_settings();
        let grants = self.plugin_grants();
        self.refuse_unfit_environments(&settings, &grants);
        Plugins {
            memory_bytes: self.document.number(&keys::PLUGINS_MEMORY_BYTES),
            deadline: Duration::from_millis(self.document.number(&keys::PLUGINS_DEADLINE_MILLISECONDS)),
            output_bytes: self.document.number(&keys::PLUGINS_OUTPUT_BYTES),
            log_bytes: self.document.number(&keys::PLUGINS_LOG_BYTES),
            trial_records: self.document.number(&keys::PLUGINS_TRIAL_RECORDS),
            double_run: Duration::from_secs(self.document.number(&keys::PLUGINS_DOUBLE_RUN_SECONDS)),
            canary_period: Duration::from_secs(self.document.number(&keys::PLUGINS_CANARY_PERIOD_SECONDS)),
            settings,
            grants,
            compile: Duration::from_secs(self.document.number(&keys::PLUGINS_COMPILE_SECONDS)),
            compile_memory_bytes: self.document.number(&keys::PLUGINS_COMPILE_MEMORY_BYTES),
        }
    }

    /// `[plugins.settings.NAME]`, a table of texts for each plugin.
    fn plugin_settings(&mut self) -> BTreeMap<String, Vec<(String, String)>> {
        let mut settings: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let all = self.document.map(&keys::PLUGINS_SETTINGS, |text| Ok(text.to_owned()));
        for (path, value) in all {
            match path.split_once('.') {
                // A plugin's name has no dot; a setting's may.
                Some((plugin, name)) => settings.entry(plugin.to_owned()).or_default().push((name.to_owned(), value)),
                None => {
                    let path = format!("{}.{path}", keys::PLUGINS_SETTINGS.path);
                    let wrong = Wrong::new("belongs to no plugin", "write it below [plugins.settings.NAME]");
                    self.document.problem(&path, None, wrong);
                }
            }
        }
        settings
    }

    /// `[plugins.grants]`, a list of capabilities for each plugin.
    fn plugin_grants(&mut self) -> BTreeMap<String, BTreeSet<Capability>> {
        let mut grants: BTreeMap<String, BTreeSet<Capability>> = BTreeMap::new();
        let all = self.document.lists(&keys::PLUGINS_GRANTS, |text| match text {
            "environment" => Ok(Capability::Environment),
            other => Err(Wrong::new(
                format!("\"{other}\" is no capability"),
                r#"the only one is "environment": clocks, chance, files and network cannot be granted, because a replay must give the same answer"#,
            )),
        });
        let count = all.len();
        for (name, line, capabilities) in all {
            let path = format!("{}.{name}", keys::PLUGINS_GRANTS.path);
            if !is_name(&name) {
                let hint = "use 1 to 64 of a-z, A-Z, 0-9, - and _";
                self.document.problem(&path, Some(line), Wrong::new(format!("\"{name}\" is no plugin name"), hint));
                continue;
            }
            let listed = capabilities.len();
            let granted: BTreeSet<Capability> = capabilities.into_iter().collect();
            if granted.len() < listed {
                self.document.problem(&path, Some(line), Wrong::new("a capability is there twice", "keep one of them"));
            }
            grants.insert(name, granted);
        }
        if count > GRANTS {
            let what = format!("{count} plugins, more than the {GRANTS} that a folder may hold");
            self.document.problem(keys::PLUGINS_GRANTS.path, None, Wrong::new(what, "remove those that are not there"));
        }
        grants
    }

    /// An environment is lines of NAME=VALUE, each ended by a byte 0: what it cannot hold is told here, not by a guest.
    fn refuse_unfit_environments(
        &mut self,
        settings: &BTreeMap<String, Vec<(String, String)>>,
        grants: &BTreeMap<String, BTreeSet<Capability>>,
    ) {
        let with_environment = settings
            .iter()
            .filter(|(plugin, _)| grants.get(*plugin).is_some_and(|all| all.contains(&Capability::Environment)));
        for (plugin, settings) in with_environment {
            for (name, value) in settings {
                if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                    let path = format!("{}.{plugin}.{name}", keys::PLUGINS_SETTINGS.path).replace('\0', "\\0");
                    let what = "no environment can hold it, and the plugin is granted \"environment\"";
                    let hint = "give it a name without = and a value without U+0000";
                    self.document.problem(&path, None, Wrong::new(what, hint));
                }
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(legal)
}
