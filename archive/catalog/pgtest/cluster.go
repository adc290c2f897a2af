//go:build unix

package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// errNotInstalled says that this machine has no PostgreSQL to start.
var errNotInstalled = errors.New("PostgreSQL is not installed")

// cluster is a running server.
type cluster struct {
	dir    string
	url    string // of its database postgres
	cmd    *exec.Cmd
	log    *os.File
	exited chan error
}

// start makes a cluster in a temporary folder and waits until it answers.
func start() (_ *cluster, err error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	run, err := account()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if run != nil {
		if err := os.Chown(dir, int(run.Uid), int(run.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "fineprint", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.Dir = dir
	initdb.SysProcAttr = attributes(run)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := demandPassword(filepath.Join(data, "pg_hba.conf")); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if c.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	sockets := dir
	if len(dir) > 80 {
		sockets = "" // a socket's address has about 100 bytes
	}
	c.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", sockets, "-h", "127.0.0.1",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	c.cmd.Dir = dir
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.SysProcAttr = attributes(run)
	c.url = fmt.Sprintf("postgres://fineprint@127.0.0.1:%d/postgres?sslmode=disable", port)
	if err := c.launch(); err != nil {
		c.cmd = nil
		return nil, err
	}
	return c, c.ready()
}

// launch starts the server. Linux ends it with the thread that started it (see
// attributes), so that thread waits for it.
func (c *cluster) launch() error {
	started := make(chan error)
	c.exited = make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.exited <- c.cmd.Wait()
		}
	}()
	return <-started
}

// demandPassword puts a line before those that trust everybody.
func demandPassword(name string) error {
	rest, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	line := "host all " + PasswordUser + " 127.0.0.1/32 scram-sha-256\n"
	return os.WriteFile(name, append([]byte(line), rest...), 0o600)
}

// programs returns the folder with initdb and postgres: that of the newest
// Debian package, or where the PATH says.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		version := func(path string) int {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for what is no number
			return n
		}
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errNotInstalled
	}
	return filepath.Dir(path), nil
}

// account returns the user that the server runs as, nil for our own.
func account() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w for this user: it does not run as root, and there is no user postgres", errNotInstalled)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// freePort returns a port that is free now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// ready waits until the server answers.
func (c *cluster) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case exit := <-c.exited:
			c.exited <- exit // for stop
			return fmt.Errorf("postgres ended at once: %v: %s", exit, c.tail())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w: %s", err, c.tail())
		case <-tick.C:
		}
	}
}

// tail returns the end of the server's log.
func (c *cluster) tail() []byte {
	text, _ := os.ReadFile(c.log.Name()) // without it the message is shorter
	return bytes.TrimSpace(text[max(0, len(text)-2000):])
}

// stop ends the server and removes the cluster.
func (c *cluster) stop() error {
	var errs []error
	if c.cmd != nil {
		// An immediate shutdown: the data is thrown away.
		errs = append(errs, c.cmd.Process.Signal(syscall.SIGQUIT))
		select {
		case <-c.exited: // its exit status tells of the signal
		case <-time.After(wait):
			errs = append(errs, errors.New("postgres did not stop"), c.cmd.Process.Kill())
			<-c.exited
		}
	}
	if c.log != nil {
		errs = append(errs, c.log.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}
