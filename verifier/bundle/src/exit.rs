//! From a fault of a layout to the exit code of every tool: one mapping, so that two tools never differ on the same bytes.
//!
//! Not here: the verdict of a bundle, which has its own exit code.

use sealtrace_layout::graph::fault_of_blob;
use sealtrace_layout::{BlobError, GraphError, GraphFault};
use sealtrace_verdict::ExitCode;

use crate::candidates::OpenBundleError;

/// The exit code of a bundle that cannot be judged at all.
pub fn exit_of_bundle_error(error: &OpenBundleError) -> ExitCode {
    match error {
        OpenBundleError::Graph(error) => exit_of_graph_error(error),
        OpenBundleError::Blob(error) => exit_of_blob_error(error),
        OpenBundleError::NoIndex { .. } => ExitCode::NoVerdict,
    }
}

/// The exit code of a layout whose manifests are refused.
pub fn exit_of_graph_error(error: &GraphError) -> ExitCode {
    exit_of_fault(error.fault())
}

/// The exit code of a blob that cannot be had.
pub fn exit_of_blob_error(error: &BlobError) -> ExitCode {
    exit_of_fault(fault_of_blob(error))
}

fn exit_of_fault(fault: GraphFault) -> ExitCode {
    match fault {
        GraphFault::Malformed | GraphFault::Limit => ExitCode::Malformed,
        GraphFault::Integrity => ExitCode::Rejected,
        GraphFault::Missing | GraphFault::Device => ExitCode::NoVerdict,
    }
}

#[cfg(test)]
mod tests {
    use sealtrace_digest::BlobDigest;

    use super::*;

    #[test]
    fn each_fault_has_its_exit_code_through_every_error_that_carries_it() {
        let digest = BlobDigest::of(b"a");
        let limit = || GraphError::Limit { what: "manifests", limit: 1 };
        assert_eq!(exit_of_graph_error(&GraphError::BundleCount { found: 2 }).code(), 3);
        assert_eq!(exit_of_graph_error(&limit()).code(), 3);
        assert_eq!(exit_of_graph_error(&GraphError::Size { digest, expected: 1, found: 2 }).code(), 1);
        assert_eq!(exit_of_bundle_error(&OpenBundleError::NoIndex { bundle: digest }).code(), 2);
        assert_eq!(exit_of_bundle_error(&limit().into()).code(), 3);
        let blobs = || {
            [
                (BlobError::Missing { digest }, 2),
                (BlobError::Mismatch { expected: digest, found: BlobDigest::of(b"b") }, 1),
                (BlobError::TooLarge { digest, size: 2, limit: 1 }, 3),
                (BlobError::Io { digest, reason: "device".to_owned() }, 2),
            ]
        };
        for (error, code) in blobs() {
            assert_eq!(exit_of_blob_error(&error).code(), code);
            assert_eq!(exit_of_graph_error(&error.into()).code(), code);
        }
        for (error, code) in blobs() {
            assert_eq!(exit_of_bundle_error(&error.into()).code(), code);
        }
    }
}
