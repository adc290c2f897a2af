package tlog_test

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// A log is made, takes a batch, and proves an entry to somebody who has the
// public key only.
func Example() {
	ctx := context.Background()
	key, err := tlog.GenerateKey(rand.Reader, "example.org/policies")
	if err != nil {
		panic(err)
	}
	s := store.NewMemory()
	log, err := tlog.Open(ctx, tlog.Config{
		Store: s, Mutable: s.Mutable(), Signer: key.Signer, Verifier: key.Verifier, Place: "memory of this example",
	})
	if err != nil {
		panic(err)
	}
	leaves := [][]byte{[]byte("first look"), []byte("second look")}
	first, cp, err := log.Append(ctx, leaves)
	if err != nil {
		panic(err)
	}
	fmt.Printf("entries %d to %d, in a log of %d\n", first, first+1, cp.Size)

	r := tlog.NewReader(s, key.Verifier)
	proof, err := r.InclusionProof(ctx, cp, 1)
	if err != nil {
		panic(err)
	}
	in, err := tlog.VerifyInclusion(proof, leaves[1], tlog.LogPolicy(key.Verifier))
	fmt.Println("proven as entry", in.Index, err)
	_, err = tlog.VerifyInclusion(proof, []byte("another look"), tlog.LogPolicy(key.Verifier))
	fmt.Println(err)
	// Output:
	// entries 0 to 1, in a log of 2
	// proven as entry 1 <nil>
	// inclusion proof: the leaf is not entry 1 of the tree of size 2
}
