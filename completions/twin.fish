function __twin_complete
    _TWIN_COMPLETE=complete_$argv[1] _TYPER_COMPLETE_ARGS=(commandline -cp) twin
end

complete --command twin --no-files --arguments "(__twin_complete fish)"
complete --command twin --force-files --condition "__twin_complete fishfile"
