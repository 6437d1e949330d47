//! `--graph FILE`: the execution graph of a counterexample, drawn.

use std::fs;
use std::path::{Path, PathBuf};

use sigproof_harness::model::picture::Picture;
use sigproof_report::{Finding, Report};

use crate::output::tell;
use crate::trouble::Trouble;

/// A file for a drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    path: PathBuf,
    form: Form,
}

/// The forms of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For Graphviz.
    Dot,
    /// For browsers.
    Svg,
}

impl Drawing {
    /// From an argument.
    ///
    /// # Errors
    /// The file's name does not say the form.
    pub fn read(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let form = match path.extension().and_then(|extension| extension.to_str()) {
            Some("dot") => Form::Dot,
            Some("svg") => Form::Svg,
            _ => return Err("the name of a drawing ends in .svg or .dot".to_owned()),
        };
        Ok(Self { path, form })
    }

    /// Draws the first finding that has a graph.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn draw(&self, report: &Report) -> Result<(), Trouble> {
        let findings = report.runs.iter().flat_map(|run| run.findings().map(move |finding| (run, finding)));
        let mut graphs = findings.filter_map(|(run, finding)| Some((run, finding, picture(finding)?)));
        let Some((run, finding, picture)) = graphs.next() else {
            tell("no counterexample has an execution graph: nothing is drawn; --engine graph explores graphs");
            return Ok(());
        };
        let text = match self.form {
            Form::Dot => picture.dot(),
            Form::Svg => picture.svg(),
        };
        write(&self.path, &text)?;
        tell(&format!("{}: the graph of {}, {}", self.path.display(), run.setup, finding.outcome));
        Ok(())
    }
}

/// The graph of a finding, if it has one.
pub(crate) fn picture(finding: &Finding) -> Option<Picture> {
    serde_json::from_value(finding.details.get("graph")?.clone()).ok()
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(path, text).map_err(|error| {
        let path = path.display();
        Trouble::environment(format!(
            "{path} cannot be written: {error}; name a file in a folder that you may write to"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a.svg", Some(Form::Svg))]
    #[case("folder.svg/a.dot", Some(Form::Dot))]
    #[case("a.png", None)]
    #[case("svg", None)]
    fn the_name_says_the_form(#[case] text: &str, #[case] form: Option<Form>) {
        assert_eq!(Drawing::read(text).ok().map(|drawing| drawing.form), form);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_with_a_remedy() {
        let trouble = write(Path::new("/nonexistent/a.svg"), "").unwrap_err();
        assert!(
            trouble.message.contains("No such file") && trouble.message.contains("name a file"),
            "{}",
            trouble.message
        );
    }
}
