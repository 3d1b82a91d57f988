use std::fmt::Display;

use super::settings::SETTINGS;
use super::sources::Given;
use super::{Problem, Problems, Setting, Sources, StoreVariables};

/// Reads settings one by one and keeps what is wrong. `None` always comes with a problem.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { problems: sources.problems.clone(), sources }
    }

    pub(super) fn on_cloud_run(&self) -> bool {
        self.sources.on_cloud_run
    }

    pub(super) fn store_variables(&self) -> StoreVariables {
        self.sources.store_variables.clone()
    }

    /// What was read, unless anything is wrong.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Problems> {
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => Err(Problems(self.problems)),
        }
    }
}

impl Reader<'_> {
    fn given(&mut self, name: &str) -> Option<(&'static Setting, Given)> {
        let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
        Some((setting, self.sources.get(setting)?))
    }

    pub(super) fn problem(&mut self, name: &str, source: Option<&str>, problem: impl Display) {
        let (setting, source) = (name.to_owned(), source.map(str::to_owned));
        self.problems.push(Problem { setting, source, problem: problem.to_string() });
    }

    pub(super) fn each<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
        let Some((_, given)) = self.given(name) else { return Some(Vec::new()) };
        let mut values = Vec::with_capacity(given.texts.len());
        for text in &given.texts {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(problem) => self.problem(name, Some(&given.source), problem),
            }
        }
        (values.len() == given.texts.len()).then_some(values)
    }

    pub(super) fn one<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        self.each(name, parse)?.pop()
    }

    /// Whether anything but its default sets it.
    pub(super) fn is_set(&mut self, name: &str) -> bool {
        self.given(name).is_some_and(|(_, given)| given.source != "default")
    }

    /// The variable that is meant to set it, and is empty.
    pub(super) fn empty_variable(&self, name: &str) -> Option<&'static str> {
        let variable = SETTINGS.iter().find(|setting| setting.name == name)?.variable;
        self.sources.empty_variables.contains(variable).then_some(variable)
    }

    pub(super) fn optional(&mut self, name: &str) -> Option<String> {
        self.given(name)?.1.texts.pop()
    }

    /// A setting that need not be set: `None` where it is set to what it can't be, `Some(None)` where it is not set.
    pub(super) fn maybe<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        Some(self.each(name, parse)?.pop())
    }

    pub(super) fn required(&mut self, name: &str, advice: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.problem(name, None, format_args!("it is not set: {advice}"));
        }
        value
    }

    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.one(name, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| format!("{text:?} is none of {known}"))
        })
    }
}
