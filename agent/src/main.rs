//! The `siskin` binary.

fn main() -> std::process::ExitCode {
    siskin::cli::main()
}
