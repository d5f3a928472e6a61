//! `symbol-bundle index`: the symbol index itself, or the rows of one module.

use std::collections::BTreeMap;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, print, print_json};
use sealtrace_digest::BlobDigest;
use sealtrace_symbols::{BlobRef, Module, SymbolTable};

use super::target::TargetArgs;
use crate::assemble::rows::{Row, rows};
use crate::opened::OpenedBundle;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct IndexArgs {
    /// Print every row of the module with this id, file SHA-256 or path: address, inline chain, file and line
    #[arg(long, value_name = "ID")]
    expand: Option<String>,
    #[command(flatten)]
    bundle: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(args: &IndexArgs) -> Outcome {
    let opened = args.bundle.open()?;
    let Some(id) = &args.expand else {
        if args.output.json {
            print_json(&opened.index);
        } else {
            for module in &opened.index.modules {
                let ids = [&module.ids.gnu_build_id, &module.ids.go_build_id, &module.ids.macho_uuid, &module.ids.pdb_guid_age];
                let ids: Vec<_> = ids.into_iter().flatten().map(|id| escape(id)).collect();
                let ids = if ids.is_empty() { module.file_sha256.hex() } else { ids.join(" ") };
                print(&format!("{ids}  {}", escape(&module.path)));
            }
        }
        return Ok(ExitCode::Done);
    };
    for part in tables(&opened, id)? {
        let bytes = opened.part(part)?;
        let damaged =
            |error| Failure::new(ExitCode::Malformed, format_args!("symbol table {}: {error}", part.digest)).hint("build the bundle again");
        let table = SymbolTable::open(bytes).map_err(damaged)?;
        for row in rows(&table) {
            let row = row.map_err(damaged)?;
            if args.output.json { print_json(&row) } else { print(&text(&row)) }
        }
    }
    Ok(ExitCode::Done)
}

/// The distinct tables of the modules that `id` names.
fn tables<'a>(opened: &'a OpenedBundle, id: &str) -> Result<Vec<&'a BlobRef>, Failure> {
    let named = |module: &&Module| {
        let ids = &module.ids;
        [&ids.gnu_build_id, &ids.go_build_id, &ids.macho_uuid, &ids.pdb_guid_age, &ids.pe_code_id]
            .into_iter()
            .flatten()
            .any(|known| known == id)
            || module.file_sha256.hex() == id
            || module.path == id
    };
    let modules: Vec<_> = opened.index.modules.iter().filter(named).collect();
    if modules.is_empty() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("the bundle has no module {}", escape(id)))
            .hint("list ids and paths with: symbol-bundle index LAYOUT"));
    }
    let tables: BTreeMap<BlobDigest, &BlobRef> =
        modules.iter().filter_map(|module| module.table.as_ref()).map(|table| (table.digest, table)).collect();
    if tables.is_empty() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("module {} has no symbol table", escape(id)))
            .hint("its code or its debug information could not be read; the build listed it"));
    }
    if tables.len() > 1 {
        let paths: Vec<_> = modules.iter().map(|module| escape(&module.path)).collect();
        return Err(Failure::new(
            ExitCode::NoVerdict,
            format_args!("{} names modules with different symbols: {}", escape(id), paths.join(", ")),
        )
        .hint("name one of them by its id, path or file SHA-256"));
    }
    Ok(tables.into_values().collect())
}

/// `address-end  inner < outer  file:line`.
fn text(row: &Row) -> String {
    let place = |file: Option<&str>, line: u32| match (file, line) {
        (Some(file), 0) => escape(file),
        (Some(file), line) => format!("{}:{line}", escape(file)),
        (None, _) => "?".to_owned(),
    };
    let chain: Vec<_> =
        row.frames.iter().map(|frame| format!("{} at {}", escape(&frame.function), place(frame.file.as_deref(), frame.line))).collect();
    let chain = if chain.is_empty() { format!("? at {}", place(row.file.as_deref(), row.line)) } else { chain.join(" < ") };
    format!("{}-{}  {chain}", row.address, row.end.as_deref().unwrap_or(""))
}
