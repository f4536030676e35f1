package credstore

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// statFS tells a drive of this machine from a share (GetDriveType).
func statFS(dir string) (name string, where locality, err error) {
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(dir) + `\`)
	if err != nil {
		return "", unknownFS, err
	}
	switch kind := windows.GetDriveType(root); kind {
	case windows.DRIVE_FIXED, windows.DRIVE_REMOVABLE, windows.DRIVE_RAMDISK:
		return "a local drive", localFS, nil
	case windows.DRIVE_REMOTE:
		return "a network share", remoteFS, nil
	default:
		return fmt.Sprintf("a drive of type %d", kind), unknownFS, nil
	}
}
