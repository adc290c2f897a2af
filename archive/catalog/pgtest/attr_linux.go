package pgtest

import "syscall"

// attributes lets a program run as another user, and end with this process
// however that ends: no server outlives a test that was killed.
func attributes(run *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: run, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
}
