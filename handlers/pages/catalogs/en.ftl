# English: short, plain, second person. Buttons are verbs. No exclamation mark.

## Every page

skip = Skip to the content
title-wrong = Check the form: { $title }
summary = { $n ->
    [one] One thing needs your attention
   *[other] { $n } things need your attention
  }
foot-privacy = Privacy
foot-terms = Terms
signed-in-as = You are signed in as { $email }.

## Times and places

ago-now = just now
ago-minutes = { $n ->
    [one] { $n } minute ago
   *[other] { $n } minutes ago
  }
ago-hours = { $n ->
    [one] { $n } hour ago
   *[other] { $n } hours ago
  }
ago-days = { $n ->
    [one] { $n } day ago
   *[other] { $n } days ago
  }
wait-seconds = { $n ->
    [one] { $n } second
   *[other] { $n } seconds
  }
wait-minutes = { $n ->
    [one] { $n } minute
   *[other] { $n } minutes
  }
wait-hours = { $n ->
    [one] { $n } hour
   *[other] { $n } hours
  }
date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
  } { $year }
date-time = { $date }, { $time } UTC
device = { $browser } on { $system }
device-unknown = Unknown device
method-password = Password
method-passkey = Passkey
method-code = One-time code
method-link = Link by mail
method-other = Another method

## Fields

field-email = Email
field-new-email = New email
field-password = Password
field-current-password = Current password
field-new-password = New password
field-new-password-hint = Long beats complicated: a few words in a row do well.
field-display-name = Your name
field-display-name-hint = What you want to be called.
field-name = Full name
field-given-name = Given name
field-middle-name = Middle name
field-family-name = Family name
field-nickname = Nickname
field-preferred-username = Short name
field-preferred-username-hint = Applications may show it; it does not sign you in.
field-profile = Profile page
field-picture = Address of a picture
field-website = Website
field-gender = Gender
field-birthdate = Date of birth
field-birthdate-hint = Year, month, day, as 1985-04-23.
field-zoneinfo = Time zone
field-zoneinfo-hint = As Europe/Berlin.
field-locale = Language
field-locale-hint = As en or fr-CA.
field-phone-number = Phone
field-phone-number-hint = With country code, as +44 20 7946 0018.
field-street-address = Street and number
field-locality = Town
field-region = State or region
field-postal-code = Postal code
field-country = Country

## What is wrong

fault-missing = Fill this in.
fault-too-long = { $n ->
    [one] Use { $n } character at most.
   *[other] Use { $n } characters at most.
  }
fault-too-short = { $n ->
    [one] Use at least { $n } character.
   *[other] Use at least { $n } characters.
  }
fault-not-an-address = Write the whole address, as name@example.com.
fault-mismatch = That email and password do not match.
fault-wrong-password = That is not your current password.
fault-common = Many people use this password, so it is tried first. Choose another.
fault-personal = This holds your name or address. Choose something that cannot be guessed from them.
fault-unchanged = This is what you have already. Choose another.
fault-not-a-url = Write a whole web address, as https://example.com.
fault-not-a-date = Write the date as 1985-04-23.
fault-not-a-zone = Write the zone as Europe/Berlin.
fault-not-a-locale = Write the language as en or fr-CA.
fault-not-a-phone = Write the number with its country code, as +44 20 7946 0018.
fault-unprintable = This holds characters that cannot be shown. Remove them.
fault-expired = This form was open too long or in another browser. Send it again.
fault-limited = There were too many tries. Try again in { $wait }, or set a new password by mail.
fault-busy = Much is going on right now. Try again in { $wait }.

## Sign in

login-title = Sign in to { $place }
login-button = Sign in
login-forgot = Forgot it?
login-new-here = New here?
login-register = Create an account
notice-verified = Your address is confirmed. Sign in with it now.
notice-password-set = Your new password is set. Sign in with it now.
notice-sign-in-first = Sign in to go on.
notice-session-ended = Your session has ended. Sign in again.
notice-signed-out = You are signed out.

## Create an account

register-title = Create an account
register-button = Create account
register-known = Have an account?
register-sign-in = Sign in
mail-sent-title = Look into your mail
mail-sent-registration = We sent a message to { $email }. Open the link in it to go on; it works for 24 hours.
mail-sent-recovery = If { $email } has an account, a message with a link is on its way. It works for an hour.
mail-sent-email-change = We sent a message to { $email }. Your address changes when you open the link in it.
mail-sent-nothing = Nothing there after a few minutes? Look into the spam folder, and check the address above.
mail-sent-again = Try another address
confirm-title = Confirm your address
confirm-text = Your account will have the address { $email }.
confirm-button = Confirm address
confirm-elsewhere = You began in another browser. Type the password that you chose there.
confirm-not-you = Did somebody else begin this? Close the page, and nothing happens.
confirm-email-title = Confirm your new address
confirm-email-text = Your account will have the address { $email }. You sign in with it from then on.
confirm-email-button = Change address
undo-email-title = Take your address back
undo-email-text = Your account has the address { $email } again. All sessions end, and you set a new password.
undo-email-button = Take it back

## Recover

recover-title = Set a new password
recover-text = Tell us your address. We send a link that lets you set a new password.
recover-button = Send the link
recover-remembered = Remembered it?
recover-sign-in = Sign in
new-password-title = Choose a new password
new-password-text = For { $email }. All sessions of your account end when you set it.
new-password-button = Set password
setup-title = Choose your first password
setup-text = For { $email }. Then you can sign in.
setup-button = Set password

## Sign out, wait, stop

logout-title = Sign out?
logout-text = Applications that you opened from here lose their access too.
logout-button = Sign out
logout-stay = Stay
logged-out-title = You are signed out
logged-out-text = Nobody can go on from this browser without signing in.
logged-out-again = Sign in again
wait-title = Wait a moment
wait-text = There were too many tries. Try again in { $wait }.
wait-recover = Set a new password
error-developer = For the people who run this
error-request-id = Request
error-account = Go to your account
error-link-title = This link cannot be used
error-link-text = It was used before, is too old, or was not copied whole. Ask for a new one where you asked for this.
error-taken-title = That address belongs to another account
error-taken-text = Somebody proved it while the link was on its way. Your account keeps the address it has.
error-member-title = You cannot go in there
error-member-text = This organization has not let you in, or lets you in no more. Your account here is not changed by it. Ask whoever runs the application.
error-form-title = We could not be sure that this came from you
error-form-text = To protect you nothing was changed. Go back, load the page again, and send the form once more. Cookies must be allowed.
error-expired-title = This form was open too long
error-expired-text = Nothing was changed. Go back, load the page again, and send the form once more.
error-failed-title = This did not work
error-failed-text = The fault is ours and has been written down. Try again in a moment.
error-unavailable-title = We cannot answer right now
error-unavailable-text = Something that we depend on is out of reach. Nothing is lost; try again in a moment.
error-not-found-title = There is nothing here
error-not-found-text = The address may be incomplete, or the page has moved.
error-request-title = We could not read that
error-request-text = What your browser sent is incomplete or damaged. Go back and try again.
error-method-title = This page cannot be reached that way
error-method-text = It may be the end of something that was begun elsewhere. Begin there again.
error-large-title = That was too much at once
error-large-text = What your browser sent is larger than we take here. Send less.
error-elsewhere-title = You are not where you wanted to be
error-elsewhere-text = We do not answer under this address. Ours is { $address }.
error-elsewhere-button = Go there
error-closed-title = Nobody can sign in here at the moment
error-closed-text = The organization has closed the way in to this application. Your account here is not changed by it. Ask whoever runs the application.
error-no-registration-title = No new accounts are made here
error-no-registration-text = Whoever has an account can sign in. To get one, ask whoever runs the application.
error-no-registration-button = Sign in

## Account

nav-account = Account
nav-profile = Profile
nav-password = Password
nav-email = Email
nav-sessions = Sessions
nav-deletion = Delete account
nav-sign-out = Sign out
notice-saved = Your profile is saved.
notice-password-changed = Your password is changed. All other sessions have ended.
notice-email-asked = We sent a link to your new address. It changes when you open the link.
notice-email-changed = Your address is changed.
notice-email-taken-back = Your address is what it was before. Set a new password if somebody else changed it.
notice-device-ended = The session on { $device } was ended.
notice-others-ended = { $n ->
    [one] One other session was ended.
   *[other] { $n } other sessions were ended.
  }
notice-deletion-begun = Your account will be erased, and you are signed out everywhere. To keep it, sign in before the day that is in our mail.
notice-kept = Your account stays.
profile-title = Your profile
profile-text = Applications see of this only what you allow them to. Every field may stay empty.
profile-names = Names
profile-about = About you
profile-reach = Phone and address
profile-button = Save profile
password-title = Change password
password-set-title = Set a password
password-text = All other sessions end when you change it, and we tell you by mail.
email-title = Your email address
email-text = You sign in with it, and we write to it when something about your account changes.
email-now = Your address
email-verified = confirmed
email-unverified = not confirmed
email-pending = waiting
email-pending-text = Open the link that we sent there.
email-change = Change it
email-button = Send the link
sessions-title = Where you are signed in
sessions-text = Ending a session takes effect everywhere within two seconds.
sessions-here = This browser
sessions-now = now
sessions-since = since
sessions-seen = last seen
sessions-near = your network now
sessions-elsewhere = Elsewhere
sessions-none = You are signed in nowhere else.
sessions-end = End
sessions-end-others = End all other sessions
deletion-title = Delete your account
deletion-text = { $n ->
    [0] Your account is erased at once. There is no way back.
    [one] You have { $n } day to change your mind: sign in until then, and it stays. After that there is no way back.
   *[other] You have { $n } days to change your mind: sign in until then, and it stays. After that there is no way back.
  }
deletion-what = What happens
deletion-sessions = You are signed out everywhere, at once.
deletion-erased = Your profile, address, password and sessions are erased. Applications can no longer look you up.
deletion-kept = The security log keeps what happened, without your name and address.
deletion-cancel = Keep account
deletion-button = Delete account
deleting-title = Your account will be erased on { $date }
deleting-text = Until then you may keep it, as it was.
deleting-keep = Keep account

## Mail catcher

catcher-title = Caught mail
catcher-text = What this server wanted to send. Nothing left this machine.
catcher-none = Nothing was sent yet.
catcher-count = { $n ->
    [one] One message
   *[other] { $n } messages
  }
catcher-back = All messages
catcher-from = From
catcher-to = To
catcher-html = As most people see it
catcher-plain = As plain text
