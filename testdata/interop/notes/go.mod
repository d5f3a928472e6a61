module sealtrace.dev/interop/notes

go 1.26.0

require (
	filippo.io/mldsa v1.0.0
	github.com/transparency-dev/formats v0.1.1
	golang.org/x/mod v0.43.0
)

require golang.org/x/crypto v0.52.0 // indirect
