//go:build unix && !linux

package pgtest

import "syscall"

// attributes lets a program run as another user.
func attributes(run *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: run, Setpgid: true}
}
