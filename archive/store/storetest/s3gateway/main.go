// Command s3gateway is the server of package s3server: versitygw over a folder, on
// a free port of 127.0.0.1, until its standard input ends.
//
//	s3gateway OBJECTS VERSIONS REGION
//
// serves the folder OBJECTS and keeps old versions in the folder VERSIONS, to who
// has the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. It prints
// "listening on HOST:PORT" when it is ready.
//
// It is a program of its own, and not a part of the test binaries: versitygw
// initializes more than all of fineprint does, at each start of a process.
package main

import (
	"context"
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

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: s3gateway OBJECTS VERSIONS REGION")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve runs the gateway on a socket in the filesystem and forwards
// connections from a free TCP port to it: the gateway takes no listener and
// tells nobody which port it got.
func serve(objects, versions, region string) error {
	dir, err := os.MkdirTemp("", "s3-") // short: a socket's path has at most about 100 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "gw")
	be, err := posix.New(objects, meta.XattrMeta{}, posix.PosixOpts{VersioningDir: versions})
	if err != nil {
		return fmt.Errorf("open the folder %s (extended attributes needed): %w", objects, err)
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
			RootUserAccess: os.Getenv("AWS_ACCESS_KEY_ID"), RootUserSecret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Region: region,
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
	fmt.Println("listening on " + l.Addr().String())
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
