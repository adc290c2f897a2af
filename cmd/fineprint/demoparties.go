package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// demoOrigin is the name of the demo's log.
const demoOrigin = "demo.invalid/policies"

// demoParties are the outside parties of the demo, on loopback: two timestamp
// authorities and a witness.
type demoParties struct {
	authorities []*anchortest.TSA
	witness     *anchor.Witness
	server      *http.Server
	key         string // public key of the log
}

// startParties makes the key of the demo's log and whoever watches that log. It
// returns their part of the configuration.
func startParties(ctx context.Context, dir string) (p *demoParties, config string, err error) {
	p = &demoParties{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	key, err := tlog.GenerateKey(rand.Reader, demoOrigin)
	if err != nil {
		return nil, "", err
	}
	p.key = key.Public
	if err := writeSecret(filepath.Join(dir, "log.key"), key.Private+"\n"); err != nil {
		return nil, "", err
	}
	var b strings.Builder
	b.WriteString("log:\n  origin: " + demoOrigin + "\nanchors:\n  witness_policy: policy.txt\n  tsa:\n")
	var roots []byte
	for _, name := range []string{"demo-clock-1", "demo-clock-2"} {
		tsa, err := anchortest.NewTSA(anchortest.TSAConfig{Name: name})
		if err != nil {
			return nil, "", err
		}
		p.authorities = append(p.authorities, tsa)
		if err := writeNew(filepath.Join(dir, name+".pem"), tsa.Roots); err != nil {
			return nil, "", err
		}
		roots = append(roots, tsa.Roots...)
		fmt.Fprintf(&b, "    - {name: %s, url: %q, roots: %[1]s.pem}\n", name, tsa.URL)
	}
	if err := writeNew(filepath.Join(dir, "tsa-roots.pem"), roots); err != nil {
		return nil, "", err
	}
	policy, err := p.startWitness(ctx, dir)
	if err != nil {
		return nil, "", err
	}
	return p, b.String(), writeNew(filepath.Join(dir, "policy.txt"), []byte(policy))
}

// startWitness starts a witness of the demo's log, and returns the policy that
// asks for its cosignature.
func (p *demoParties) startWitness(ctx context.Context, dir string) (policy string, err error) {
	secret, vkey, err := anchor.NewWitnessKey(rand.Reader, "demo.invalid/witness")
	if err != nil {
		return "", err
	}
	p.witness, err = anchor.NewWitness(anchor.WitnessConfig{Key: secret, Dir: filepath.Join(dir, "witness"), Logs: []anchor.WitnessLog{{VKey: p.key}}})
	if err != nil {
		return "", err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.server = &http.Server{Handler: p.witness}
	go p.server.Serve(l) // ends with Close
	return fmt.Sprintf("log %s\nwitness neighbour %s http://%s/\nquorum neighbour\n", p.key, vkey, l.Addr()), nil
}

func (p *demoParties) close() error {
	var errs []error
	for _, tsa := range p.authorities {
		errs = append(errs, tsa.Close())
	}
	if p.server != nil {
		errs = append(errs, p.server.Close())
	}
	if p.witness != nil {
		errs = append(errs, p.witness.Close())
	}
	return errors.Join(errs...)
}

// demoBundle is the name of the bundle that the demo makes.
func demoBundle(dir string) string { return filepath.Join(dir, "terms-zh.evidence.zip") }

// demoEvidence takes a bundle of the changed terms and has it checked.
func (a *app) demoEvidence(ctx context.Context, dir, config, source string) error {
	a.say("\n== A bundle for a stranger: the Chinese terms after the change, and every look before\n")
	if err := os.RemoveAll(demoBundle(dir)); err != nil {
		return err
	}
	err := a.demoStep(ctx, "--config", config, "export", "bundle", source, "--from", "first", "-o", demoBundle(dir))
	if err != nil {
		return err
	}
	return a.demoStep(ctx, "verify", demoBundle(dir), "--policy", filepath.Join(dir, "policy.txt"), "--tsa-roots", filepath.Join(dir, "tsa-roots.pem"))
}
