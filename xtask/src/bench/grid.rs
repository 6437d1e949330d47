//! A table of words, as text for people and as Markdown.

use crate::output::Out;
use crate::table;

/// A table. All rows are as long as its head.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The names of the columns.
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// With this head and no rows.
    pub fn new<'a>(head: impl IntoIterator<Item = &'a str>) -> Self {
        Self { head: head.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// As the command line shows it.
    pub fn plain(&self, out: Out) -> String {
        table::plain(self.head.iter().map(String::as_str), self.rows.iter().cloned(), out)
    }

    /// In Markdown, with columns that line up.
    pub fn markdown(&self) -> String {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.len()).max().unwrap_or(0);
        let line = |row: &Vec<String>| {
            let cells = row.iter().enumerate().map(|(column, cell)| format!(" {cell:<0$} |", width(column)));
            format!("|{}\n", cells.collect::<String>())
        };
        let rule = (0..self.head.len()).map(|column| format!("{}|", "-".repeat(width(column) + 2)));
        let body: String = self.rows.iter().map(line).collect();
        format!("{}|{}\n{body}", line(&self.head), rule.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut grid = Grid::new(["who", "ns"]);
        grid.rows.push(vec!["memcpy".to_owned(), "2".to_owned()]);
        assert_eq!(grid.markdown(), "| who    | ns |\n|--------|----|\n| memcpy | 2  |\n");
    }
}
