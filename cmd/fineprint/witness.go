package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/anchor"
)

// witnessFlags configure `fineprint witness`, which reads no configuration file:
// it belongs to no archive.
type witnessFlags struct {
	listen string // address and port
	key    string // file of the secret key
	name   string // of a key that is made
	state  string // folder
	logs   string // file
}

func (a *app) witnessCommand() *cobra.Command {
	var f witnessFlags
	cmd := &cobra.Command{
		Use:   "witness --logs FILE",
		Short: "Cosign the checkpoints of other operators' logs",
		Long: `Run a C2SP tlog-witness: it cosigns each checkpoint of the logs it knows that
goes on from the one before, and never a second history. Who trusts you as a
witness then knows that everybody is shown the same log. Run it for others, on
another machine than your own log.

--logs names the logs, one a line: the public key (which their operators see
with "fineprint log key") and, if you like, how many cosignatures they may have
a day; lines that begin with # are comments:

  example.org/log+1f2e3d4c+AQ…  200

The key is made at the first start. The other operator puts the line that is
printed then into the policy file (anchors.witness_policy), with the address
under which your witness is reached, and names it in the quorum:

  witness you you.example/w1+5d1f02aa+BA… https://witness.you.example/
  quorum you

Put TLS in front of it. The state folder is the witness's memory: never set it
back, and take a new key if it is lost.`,
		Example: "  fineprint witness --logs logs.txt --key w.key --state w-state --listen 127.0.0.1:7380",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.witness(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.logs, "logs", "", "`FILE` of the logs to cosign")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:7380", "`ADDRESS` and port to listen on")
	flags.StringVar(&f.key, "key", "witness.key", "`FILE` of the secret key, made if it is not there")
	flags.StringVar(&f.name, "name", "", "`NAME` of a new key, an address without scheme such as witness.example.org/w1 (default: made up)")
	flags.StringVar(&f.state, "state", "witness-state", "`FOLDER` of what was cosigned")
	return cmd
}

func (a *app) witness(ctx context.Context, f witnessFlags) (err error) {
	if f.logs == "" {
		return usageErrorf("witness: name the logs to cosign with --logs FILE; see `fineprint witness --help`")
	}
	text, err := readBounded(f.logs, maxPolicyFile)
	if err != nil {
		return usageErrorf("--logs: %w", err)
	}
	logs, err := parseWitnessLogs(string(text))
	if err != nil {
		return usageErrorf("--logs %s: %w", f.logs, err)
	}
	key, err := a.witnessKey(f)
	if err != nil {
		return err
	}
	w, err := anchor.NewWitness(anchor.WitnessConfig{Key: key, Dir: f.state, Logs: logs, Log: a.witnessLogger()})
	if err != nil {
		return withCode(exitUsage, err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return usageErrorf("--listen: %w", err)
	}
	if err := a.announceWitness(w, l.Addr().String(), len(logs)); err != nil {
		return errors.Join(err, l.Close())
	}
	return serveUntil(ctx, l, w)
}

// witnessLogger tells of each cosignature, unless -q.
func (a *app) witnessLogger() *slog.Logger {
	level := slog.LevelInfo
	if a.quiet {
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// announceWitness prints what the other operators need.
func (a *app) announceWitness(w *anchor.Witness, address string, logs int) error {
	if a.json {
		return a.printJSON(map[string]any{"listen": address, "vkey": w.VKey(), "logs": logs})
	}
	name, _, _ := strings.Cut(w.VKey(), "+")
	host, _, _ := strings.Cut(name, "/")
	_, err := fmt.Fprintf(a.stdout, "cosigning %d logs on %s\nfor the policy files of their operators, with the address that you give them:\n  witness %s %s http://%s/\n",
		logs, address, host, w.VKey(), address)
	return err
}

// parseWitnessLogs reads the file of --logs: lines of a verifier key and
// perhaps a number of cosignatures a day.
func parseWitnessLogs(text string) ([]anchor.WitnessLog, error) {
	var logs []anchor.WitnessLog
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		l := anchor.WitnessLog{VKey: fields[0]}
		var err error
		if len(fields) == 2 {
			l.PerDay, err = strconv.Atoi(fields[1])
		}
		if err != nil || len(fields) > 2 || l.PerDay < 0 {
			return nil, fmt.Errorf("line %d: want the public key of a log and, behind it, a number of cosignatures a day or nothing", i+1)
		}
		logs = append(logs, l)
	}
	if len(logs) == 0 {
		return nil, errors.New("it names no log")
	}
	return logs, nil
}

// witnessKey reads the key, or makes one for a witness without a memory.
func (a *app) witnessKey(f witnessFlags) (string, error) {
	info, err := os.Stat(f.key)
	if errors.Is(err, fs.ErrNotExist) {
		return a.makeWitnessKey(f)
	}
	if err != nil {
		return "", usageErrorf("--key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", usageErrorf("--key %s can be read by others (mode %04o): chmod 600 it, and think about a new key", f.key, mode)
	}
	if missing(f.state) {
		return "", usageErrorf("--state %s is not there and the key %s is: a witness that forgot what it cosigned may cosign a second history; put the folder back, or begin with a new key", f.state, f.key)
	}
	if f.name != "" {
		return "", usageErrorf("--name is for a new key, and %s is there", f.key)
	}
	text, err := readBounded(f.key, 4<<10)
	if err != nil {
		return "", usageErrorf("--key: %w", err)
	}
	return string(text), nil
}

// makeWitnessKey makes the folder of the state first: a key without one means
// that a memory was lost.
func (a *app) makeWitnessKey(f witnessFlags) (string, error) {
	name := f.name
	if name == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails
		name = "unnamed.invalid/" + hex.EncodeToString(b[:])
	}
	secret, vkey, err := anchor.NewWitnessKey(rand.Reader, name)
	if err != nil {
		return "", usageErrorf("--name: %w", err)
	}
	for _, folder := range []string{f.state, filepath.Dir(f.key)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return "", usageErrorf("witness: %w", err)
		}
	}
	if err := writeSecret(f.key, secret+"\n"); err != nil {
		return "", usageErrorf("--key: %w", err)
	}
	a.talk("made the key of the witness: %s (public key: %s)", f.key, vkey)
	return secret, nil
}

// Limits of a server for strangers.
const (
	serveHeaderTime = 10 * time.Second
	serveTime       = 30 * time.Second
	serveStopTime   = 10 * time.Second
	serveHeaderSize = 16 << 10
)

// serveUntil serves until the context ends, and then ends what is under way.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: serveHeaderTime, ReadTimeout: serveTime, WriteTimeout: serveTime,
		IdleTimeout: serveTime, MaxHeaderBytes: serveHeaderSize,
	}
	ctx, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), serveStopTime)
		defer cancel()
		stopped <- s.Shutdown(late)
	}()
	err := s.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	stop()
	return errors.Join(err, <-stopped)
}
