package s3server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// helperConfig is what the test tells its helper process.
type helperConfig struct {
	Root, Versions       string // absolute folders
	AccessKey, SecretKey string
	Region               string
}

// Main becomes the server if this process was started as a helper, and then
// does not return; otherwise it does nothing. Call it first in TestMain.
func Main() {
	env, ok := os.LookupEnv(helperEnv)
	if !ok {
		return
	}
	if err := serve(env); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve runs the gateway on a socket in the filesystem and forwards
// connections from a free TCP port to it: the gateway takes no listener and
// tells nobody which port it got.
func serve(env string) error {
	var cfg helperConfig
	if err := json.Unmarshal([]byte(env), &cfg); err != nil {
		return fmt.Errorf("read helper configuration: %w", err)
	}
	dir, err := os.MkdirTemp("", "s3-") // short: a socket's path has at most about 100 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "gw")
	be, err := posix.New(cfg.Root, meta.XattrMeta{}, posix.PosixOpts{VersioningDir: cfg.Versions})
	if err != nil {
		return fmt.Errorf("open the folder %s (extended attributes needed): %w", cfg.Root, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 2)
	go func() {
		ended <- embedgw.RunVersityGW(ctx, be, &embedgw.Config{
			RootUserAccess: cfg.AccessKey, RootUserSecret: cfg.SecretKey, Region: cfg.Region,
			Ports: []string{socket}, MaxConnections: 512, MaxRequests: 512, MultipartMaxParts: 10000,
			Quiet: true, KeepAlive: true,
		})
	}()
	go func() { // the test process holds the other end
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	if err := await(socket, ended); err != nil {
		return err
	}
	go forward(l, socket)
	fmt.Println(readyLine + l.Addr().String())
	return <-ended
}

// await returns when something accepts connections at socket.
func await(socket string, ended <-chan error) error {
	for {
		c, err := net.Dial("unix", socket)
		if err == nil {
			return c.Close()
		}
		select {
		case err := <-ended:
			return errors.Join(errors.New("gateway ended at its start"), err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// forward copies bytes between the connections of l and socket.
func forward(l net.Listener, socket string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			g, err := net.Dial("unix", socket)
			if err != nil {
				return
			}
			defer g.Close()
			go func() {
				io.Copy(g, c)
				g.(*net.UnixConn).CloseWrite()
			}()
			io.Copy(c, g)
		}()
	}
}
