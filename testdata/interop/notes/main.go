// Notes, cosignatures, policies and proofs as other implementations make and read them (golang.org/x/mod/sumdb, transparency-dev/formats,
// filippo.io/mldsa).
//
//	go run . make DIR ENTRY     writes DIR/policy.txt and DIR/cosigned.tlog-proof, the same bytes at every run
//	go run . verify DIR ENTRY   exit 0 when the proof in DIR shows ENTRY under the policy in DIR
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/mldsa"
	"github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	sumdb "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	origin = "log.example.com/interop"
	first  = "witness.example.com/w1"
	second = "oid/1.3.6.1.4.1.32473.1"
	time   = 1679315147
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: notes make|verify DIR ENTRY")
	}
	dir, entry := os.Args[2], []byte(os.Args[3])
	if os.Args[1] == "make" {
		create(dir, entry)
	}
	verify(dir, entry)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func seed(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func id(name string, material []byte) []byte {
	hash := sha256.Sum256(append([]byte(name+"\n"), material...))
	return hash[:4]
}

func vkey(name string, material []byte) string {
	return fmt.Sprintf("%s+%x+%s", name, id(name, material), base64.StdEncoding.EncodeToString(material))
}

func line(name string, material, signature []byte) string {
	return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(append(id(name, material), signature...)))
}

func timed(signature []byte) []byte { return append(binary.BigEndian.AppendUint64(nil, time), signature...) }

func create(dir string, entry []byte) {
	// A tree of three entries; the one asked for is the second.
	leaves := []tlog.Hash{tlog.RecordHash([]byte("zero")), tlog.RecordHash(entry), tlog.RecordHash([]byte("two"))}
	root := tlog.NodeHash(tlog.NodeHash(leaves[0], leaves[1]), leaves[2])
	text := fmt.Sprintf("%s\n3\n%s\n", origin, root)

	logKey := ed25519.NewKeyFromSeed(seed(1))
	logMaterial := append([]byte{1}, logKey.Public().(ed25519.PublicKey)...)
	firstKey := ed25519.NewKeyFromSeed(seed(2))
	firstMaterial := append([]byte{4}, firstKey.Public().(ed25519.PublicKey)...)
	secondKey := must(mldsa.NewPrivateKey(mldsa.MLDSA44(), seed(3)))
	secondMaterial := append([]byte{6}, secondKey.PublicKey().Bytes()...)

	checkpoint := text + "\n" + line(origin, logMaterial, ed25519.Sign(logKey, []byte(text)))
	checkpoint += line("unknown.example.com", []byte{1}, seed(9))
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	checkpoint += line(first, firstMaterial, timed(ed25519.Sign(firstKey, []byte(message))))
	subtree := []byte("subtree/v1\n\x00")
	subtree = append(append(subtree, byte(len(second))), second...)
	subtree = binary.BigEndian.AppendUint64(subtree, time)
	subtree = append(append(subtree, byte(len(origin))), origin...)
	subtree = binary.BigEndian.AppendUint64(subtree, 0)
	subtree = binary.BigEndian.AppendUint64(subtree, 3)
	subtree = append(subtree, root[:]...)
	checkpoint += line(second, secondMaterial, timed(must(secondKey.SignDeterministic(subtree, nil))))

	made := proof.TLogProof{Index: 1, Hashes: [][32]byte{leaves[0], leaves[2]}, Checkpoint: []byte(checkpoint), ExtraData: []byte("not signed")}
	policy := "# made by testdata/interop/notes\nlog " + vkey(origin, logMaterial) + "\n" +
		"witness W1 " + vkey(first, firstMaterial) + " https://witness.example.com/\n" +
		"witness W2 " + vkey(second, secondMaterial) + " https://other.example.com/\n" +
		"group both all W1 W2\nquorum both\n"
	must(0, os.WriteFile(filepath.Join(dir, "policy.txt"), []byte(policy), 0o644))
	must(0, os.WriteFile(filepath.Join(dir, "cosigned.tlog-proof"), made.Marshal(), 0o644))
}

func verify(dir string, entry []byte) {
	policy := must(os.ReadFile(filepath.Join(dir, "policy.txt")))
	var read proof.TLogProof
	must(0, read.Unmarshal(must(os.ReadFile(filepath.Join(dir, "cosigned.tlog-proof")))))
	group := must(witness.ParsePolicy(policy))
	if !group.Satisfied(read.Checkpoint) {
		log.Fatal("the quorum is not met")
	}
	var logVkey string
	for _, line := range strings.Split(string(policy), "\n") {
		if rest, found := strings.CutPrefix(line, "log "); found {
			logVkey = strings.Fields(rest)[0]
		}
	}
	opened := must(sumdb.Open(read.Checkpoint, sumdb.VerifierList(must(note.NewVerifier(logVkey)))))
	tree := must(tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(opened.Text, "\n", 2)[1])))
	var path tlog.RecordProof
	for _, hash := range read.Hashes {
		path = append(path, hash)
	}
	must(0, tlog.CheckRecord(path, tree.N, tree.Hash, int64(read.Index), tlog.RecordHash(entry)))
}
