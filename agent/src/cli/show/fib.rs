//! `siskin fib`.

use std::io::{self, Write};

use crate::{
    api::protocol::fib::FibRow,
    cli::output::{Table, Tone},
};

/// An empty table of kernel routes.
#[must_use]
pub fn table() -> Table {
    Table::new(&["ROUTE", "PATH", "STATE", "INFO"])
}

/// Adds a kernel route.
///
/// # Errors
///
/// As the output's.
pub fn add(table: &mut Table, out: &mut impl Write, row: &FibRow) -> io::Result<()> {
    let info = match (&row.error, &row.kernel) {
        (Some(error), _) => error.clone(),
        (None, Some(kernel)) => format!("the kernel has: {kernel}"),
        (None, None) => row.reason.replace('_', " "),
    };
    table.row(out, tone(row), vec![row.route.to_string(), row.path.clone(), row.state.clone(), info])
}

fn tone(row: &FibRow) -> Tone {
    match row.state.as_str() {
        "installed" => Tone::Plain,
        "failed" | "conflict" => Tone::Error,
        _ => Tone::Warning,
    }
}

/// Writes what would turn the kernel's routes into those wanted: `-` goes, `+` comes, `!` waits.
///
/// # Errors
///
/// As the output's.
pub fn write_difference(out: &mut impl Write, row: &FibRow) -> io::Result<()> {
    if row.change.as_deref() == Some("delete") {
        return writeln!(out, "{}", Tone::Error.paint(&format!("- {}", row.route)));
    }
    match (&row.error, &row.kernel) {
        (Some(error), Some(kernel)) => waiting(out, row, &format!("{error}: {kernel}")),
        (Some(error), None) => waiting(out, row, error),
        (None, kernel) => {
            if let Some(kernel) = kernel {
                writeln!(out, "{}", Tone::Error.paint(&format!("- {kernel}")))?;
            }
            writeln!(out, "{}", Tone::Good.paint(&format!("+ {}", row.route)))
        }
    }
}

fn waiting(out: &mut impl Write, row: &FibRow, why: &str) -> io::Result<()> {
    writeln!(out, "{}", Tone::Warning.paint(&format!("! {}  ({why})", row.route)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::protocol::fib::KernelRoute, cli::show::rendered};

    fn row() -> FibRow {
        FibRow {
            route: KernelRoute {
                dst: "172.16.196.128/26".into(),
                gateway: Some("192.168.92.129".into()),
                dev: Some("eth0".into()),
                protocol: Some("179".into()),
                ..KernelRoute::default()
            },
            path: "direct".into(),
            reason: "same_subnet".into(),
            state: "installed".into(),
            ..FibRow::default()
        }
    }

    #[test]
    fn a_row_shows_the_route_as_the_kernel_would() {
        let text = rendered(|out| {
            let mut table = table();
            add(&mut table, out, &row())?;
            table.finish(out)
        });
        assert_eq!(
            text,
            "\
ROUTE                                                    PATH    STATE      INFO
172.16.196.128/26 via 192.168.92.129 dev eth0 proto 179  direct  installed  same subnet
"
        );
    }

    #[test]
    fn a_difference_reads_like_a_patch() {
        let kernel = KernelRoute { dev: Some("tunl0".into()), ..row().route };
        let replaced = FibRow { kernel: Some(kernel), change: Some("replace".into()), ..row() };
        assert_eq!(
            rendered(|out| write_difference(out, &replaced)),
            "- 172.16.196.128/26 via 192.168.92.129 dev tunl0 proto 179\n\
             + 172.16.196.128/26 via 192.168.92.129 dev eth0 proto 179\n"
        );
    }
}
