// Command fineprint archives legal pages: it crawls a declared list of terms of
// service and privacy policies, keeps every exchange byte for byte in WARC
// files, submits the pages to the Wayback Machine, and lets a stranger check
// what it kept. See README.md and docs/.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// version is the release. The revision comes from the build information.
const version = "0.1.0"

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// app is what every subcommand gets: the streams and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	configFile     string
	archive        string
	contact        string
	sets           []string
	json           bool
	quiet          bool
	environ        []string          // nil for the process's own
	step           func(name string) // called before each durable step; set by the crash tests alone
}

// run is the whole program; main and the tests call it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return (&app{stdin: stdin, stdout: stdout, stderr: stderr}).run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	ctx, stop := withSignals(ctx, a.stderr)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if err != nil && !errors.Is(err, errSilent) {
		fmt.Fprintln(a.stderr, "fineprint:", err)
	}
	return code
}

// sameSignal is the time in which a repeated signal counts as the same one: some
// senders signal the process and its group.
const sameSignal = 300 * time.Millisecond

// withSignals cancels the context at the first interrupt, so that what runs can
// finish cleanly, and ends the process at the second. What was captured is kept
// either way.
func withSignals(parent context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var first time.Time
		for {
			s, open := <-signals
			if !open {
				return
			}
			if !first.IsZero() && time.Since(first) < sameSignal {
				continue
			}
			if first.IsZero() {
				first = time.Now()
				cancel(errInterrupted) // said when it holds
				fmt.Fprintf(stderr, "fineprint: %s: finishing; once more stops at once\n", s)
				continue
			}
			fmt.Fprintln(stderr, "fineprint: stopped; what was captured is in the spool and is sealed by the next run")
			os.Exit(exitFailed)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		<-done
		cancel(nil)
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "fineprint",
		Short: "Archive legal pages so that a stranger can verify their history",
		Long: `fineprint crawls a declared list of terms of service and privacy policies,
keeps every exchange byte for byte in WARC files, and submits the pages to
the Wayback Machine.

Exit codes: 0 done; 1 a claim is false or the work failed; 2 usage or
configuration; 3 partly failed (some pages could not be captured); 4 incomplete
(something could not be checked).`,
		Example:       "  fineprint demo\n  fineprint crawl --contact you@example.org\n  fineprint captures --service X --json",
		SilenceErrors: true, SilenceUsage: true,
		Version: toolVersion(),
		Args:    usageArgs(cobra.NoArgs), // an unknown command
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", os.Getenv("FINEPRINT_CONFIG"), "configuration `FILE` (default ./fineprint.yaml, then ./fineprint-data/fineprint.yaml)")
	flags.BoolVar(&a.json, "json", false, "print JSON lines, the summary last")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	flags.StringVar(&a.archive, "archive", "", "archive `FOLDER` or s3:// address instead of the configured one")
	flags.StringVar(&a.contact, "contact", "", "e-mail `ADDRESS` or page for the User-Agent")
	flags.StringArrayVar(&a.sets, "set", nil, "override one configuration `KEY=VALUE` (crawl.delay=0s); may be repeated")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageErrorf("%w", err) })
	root.AddCommand(
		a.initCommand(), a.checkCommand(), a.crawlCommand(), a.captureCommand(), a.sealCommand(), a.anchorCommand(), a.statusCommand(),
		a.capturesCommand(), a.versionsCommand(), a.changesCommand(), a.showCommand(), a.diffCommand(), a.searchCommand(), a.deriveCommand(), a.exportCommand(), a.verifyCommand(), a.auditCommand(), a.rebuildCommand(), a.waybackCommand(), a.logCommand(),
		a.witnessCommand(), a.doctorCommand(), a.demoCommand(), a.versionCommand(),
	)
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, c := range root.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return root
}

// usageArgs makes wrong arguments a usage error (exit code 2).
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		return nil
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageErrorf("%w; see `%s --help`", err, cmd.CommandPath())
		}
		return nil
	}
}

// config loads the configuration with the global flags applied.
func (a *app) config() (*config, error) {
	name := a.configFile
	if name == "" {
		name = findConfig(".")
	}
	sets := a.sets
	if a.archive != "" {
		sets = append(sets, "archive="+absArchive(a.archive))
	}
	if a.contact != "" {
		sets = append(sets, "contact="+a.contact)
	}
	environ := a.environ
	if environ == nil {
		environ = os.Environ()
	}
	return loadConfig(name, sets, environ)
}

// absArchive makes a folder given as a flag relative to the working directory,
// not to the configuration file.
func absArchive(archive string) string {
	if strings.HasPrefix(archive, "s3://") {
		return archive
	}
	c := config{base: "."}
	return c.abs(archive)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": version, "tool": toolVersion()})
			}
			_, err := fmt.Fprintln(a.stdout, toolVersion())
			return err
		},
	}
}

// toolVersion names the program in archives and to servers.
func toolVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "fineprint/" + version
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = " (" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	if revision != "" {
		revision += dirty + ")"
	}
	return "fineprint/" + version + revision
}
