use maud::{Markup, html};

/// What there is several of, under a heading.
pub(super) struct Table<const N: usize> {
    /// For links and for those who do not see it.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What is said where there is none.
    pub(super) nothing: &'static str,
    pub(super) heads: [&'static str; N],
    /// Which column says what a row is about.
    pub(super) named: usize,
}

/// One of them.
pub(super) struct Row<const N: usize> {
    /// `warn` or `bad`, if it calls for a look.
    pub(super) tone: Option<&'static str>,
    /// By column.
    pub(super) cells: [Markup; N],
}

impl<const N: usize> Table<N> {
    /// On a phone, where there is no line of heads, each cell has its own.
    pub(super) fn of(&self, rows: impl IntoIterator<Item = Row<N>>) -> Markup {
        let mut rows = rows.into_iter().peekable();
        html! {
            section aria-labelledby=(self.id) {
                h2 id=(self.id) { (self.title) }
                @if rows.peek().is_none() {
                    p { (self.nothing) }
                } @else {
                    table {
                        thead { tr { @for head in self.heads { th scope="col" { (head) } } } }
                        tbody { @for row in rows { (self.row(row)) } }
                    }
                }
            }
        }
    }

    fn row(&self, row: Row<N>) -> Markup {
        let cells = row.cells.into_iter().zip(self.heads).enumerate();
        html! {
            tr class=[row.tone] {
                @for (column, (cell, head)) in cells {
                    @if column == self.named {
                        th scope="row" data-label=(head) { (cell) }
                    } @else {
                        td data-label=(head) { (cell) }
                    }
                }
            }
        }
    }
}
