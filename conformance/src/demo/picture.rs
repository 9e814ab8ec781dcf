//! The topology as a drawing, and the two configurations side by side.

/// The lab, as `ip` and the configurations describe it.
pub(super) const TOPOLOGY: &str = "\
 pod1  172.16.241.69                   pod2  172.16.196.132
        │                                    │
┌───────┴────────────────┐          ┌────────┴───────────────┐
│ master01               │          │ node01                 │
│ block 172.16.241.64/26 │          │ block 172.16.196.128/26│
│ siskin ◄──────────────────── BGP ───────────────► siskin   │
└───────┬────────────────┘          └────────┬───────────────┘
   eth0 │ 192.168.92.128/24             eth0 │ 192.168.92.129/24
        └───────────────── switch ───────────┘";

/// A file without its comments and blank lines.
pub(super) fn brief(file: &str) -> Vec<String> {
    let lines = file.lines().map(str::trim_end);
    lines.filter(|line| !line.is_empty() && !line.trim_start().starts_with('#')).map(str::to_owned).collect()
}

/// Two texts in two columns.
pub(super) fn side_by_side(left: &[String], right: &[String]) -> String {
    let width = left.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 4;
    let rows = left.len().max(right.len());
    let cell = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let rows = (0..rows).map(|row| format!("{:width$}{}", cell(left, row), cell(right, row)));
    rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_file_has_neither_comments_nor_blank_lines() {
        assert_eq!(brief("# x\n[node]\n\nname = \"a\"  \n  # y\n"), ["[node]", "name = \"a\""]);
    }

    #[test]
    fn columns_of_different_length_stay_apart() {
        let lines = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(side_by_side(&lines("a|bcd"), &lines("x|y|z")), "a      x\nbcd    y\n       z");
    }
}
