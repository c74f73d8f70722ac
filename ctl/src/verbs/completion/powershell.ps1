# Completes NAME in PowerShell: NAME completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName 'NAME' -ScriptBlock {
    param($WordToComplete, $CommandAst, $CursorPosition)
    $Words = @($CommandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $CursorPosition } | ForEach-Object { "$_" })
    if ($WordToComplete -eq '') { $Words += '' }
    $Rest = @($Words | Select-Object -Skip 1)
    & $Words[0] __complete '--' @Rest 2>$null | Where-Object { $_ -and -not $_.StartsWith(':') } | ForEach-Object {
        $Word, $Help = $_ -split "`t", 2
        if (-not $Help) { $Help = $Word }
        [System.Management.Automation.CompletionResult]::new($Word, $Word, 'ParameterValue', $Help)
    }
}
