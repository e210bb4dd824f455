# Letters. Of each: subject (also its heading), lead and after (paragraphs around the button), button, and plain, the
# letter without HTML, written for itself.

mail-clear = Or open this address:
mail-foot = { $brand } wrote this to { $to } because it is about an account there.

mail-register-subject = Confirm your address for { $brand }
mail-register-lead = Somebody, most likely you, wants an account at { $brand } with this address. Confirm it, and the account is yours.
mail-register-button = Confirm address
mail-register-after = The link works once, for 24 hours. If it was not you, do nothing: no account is made.
mail-register-plain =
    Hello,

    { mail-register-lead } To confirm, open this link:

    { $link }

    { mail-register-after }

mail-exists-subject = You already have an account at { $brand }
mail-exists-lead = Somebody, most likely you, asked for a new account at { $brand } with this address. There is one already: sign in with it.
mail-exists-button = Sign in
mail-exists-after =
    Forgot the password? Set a new one here: { $more }

    If it was not you, do nothing: nothing has changed.
mail-exists-plain =
    Hello,

    { mail-exists-lead }

    { $link }

    Forgot the password? Set a new one:

    { $more }

    If it was not you, do nothing: nothing has changed.

mail-recover-subject = Set a new password for { $brand }
mail-recover-lead = Somebody, most likely you, asked to set a new password for { $email }.
mail-recover-button = Set a new password
mail-recover-after = The link works once, for an hour. If it was not you, do nothing: your password stays.
mail-recover-plain =
    Hello,

    { mail-recover-lead } To do so, open this link:

    { $link }

    { mail-recover-after }

mail-password-changed-subject = Your password was changed
mail-password-changed-lead = The password of your account { $email } at { $brand } was changed on { $when }. All other sessions have ended.
mail-password-changed-button = It was not me
mail-password-changed-after = If it was you, there is nothing to do. If not, set a new password at once.
mail-password-changed-plain =
    Hello,

    { mail-password-changed-lead }

    If it was you, there is nothing to do. If not, set a new password at once:

    { $link }

mail-email-confirm-subject = Confirm your new address
mail-email-confirm-lead = The account { $email } at { $brand } is to have this address from now on: { $new_email }.
mail-email-confirm-button = Confirm address
mail-email-confirm-after = The link works once, for 24 hours. If you know nothing of this, do nothing: the account stays as it is.
mail-email-confirm-plain =
    Hello,

    { mail-email-confirm-lead } To confirm, open this link:

    { $link }

    { mail-email-confirm-after }

mail-email-changed-old-subject = Your address was changed
mail-email-changed-old-lead = Your account at { $brand } had the address { $email }. Since { $when } it has another: { $new_email }.
mail-email-changed-old-button = Take it back
mail-email-changed-old-after = If it was you, there is nothing to do. If not, take it back within 7 days, then set a new password.
mail-email-changed-old-plain =
    Hello,

    { mail-email-changed-old-lead }

    If it was you, there is nothing to do. If not, take it back within 7 days:

    { $link }

    Then set a new password.

mail-email-changed-new-subject = This is your address now
mail-email-changed-new-lead = Your account at { $brand } has the address { $new_email } now. Sign in with it from now on.
mail-email-changed-new-button = Go to your account
mail-email-changed-new-after = We told your old address too. It can take the change back for 7 days.
mail-email-changed-new-plain =
    Hello,

    { mail-email-changed-new-lead }

    { $link }

    { mail-email-changed-new-after }

mail-deletion-begun-subject = Your account will be erased on { $when }
mail-deletion-begun-lead = Your account { $email } at { $brand } was asked to be deleted. Until { $when } you can keep it: sign in, and it stays as it was.
mail-deletion-begun-button = Keep account
mail-deletion-begun-after = If it was not you who asked, keep the account and set a new password.
mail-deletion-begun-plain =
    Hello,

    { mail-deletion-begun-lead }

    { $link }

    { mail-deletion-begun-after }

mail-deletion-done-subject = Your account is erased
mail-deletion-done-lead = Your account { $email } at { $brand } and all that belonged to it are erased. This is our last message to you.
mail-deletion-done-after = The security log keeps what happened, without your name and address.
mail-deletion-done-plain =
    Hello,

    { mail-deletion-done-lead }

    { mail-deletion-done-after }

mail-setup-subject = Set up your account at { $brand }
mail-setup-lead = An account at { $brand } was made for { $email }. Choose a password, and it is yours.
mail-setup-button = Choose a password
mail-setup-after = The link works once, for 24 hours. If you did not expect this, do nothing.
mail-setup-plain =
    Hello,

    { mail-setup-lead } To do so, open this link:

    { $link }

    { mail-setup-after }

mail-new-sign-in-subject = New sign-in to your account
mail-new-sign-in-lead = Somebody signed in to your account { $email } at { $brand } on { $when }: { $device }.
mail-new-sign-in-button = See your sessions
mail-new-sign-in-after = If it was you, there is nothing to do. If not, end that session and set a new password.
mail-new-sign-in-plain =
    Hello,

    { mail-new-sign-in-lead }

    If it was you, there is nothing to do. If not, end that session and set a new password:

    { $link }
