package credstore

func (l locality) String() string {
	return map[locality]string{localFS: "local", remoteFS: "remote", unknownFS: "unknown"}[l]
}

// FileSystem and StatFS are the table of file systems and the question to the kernel.
func FileSystem(magic uint32) (name, where string) {
	name, at := fileSystem(magic)
	return name, at.String()
}

func StatFS(dir string) (name, where string, err error) {
	name, at, err := statFS(dir)
	return name, at.String(), err
}
